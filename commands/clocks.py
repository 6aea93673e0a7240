"""`uncia clocks`: show the assessment of each camera's clock."""

import sys

import typer
from rich.table import Column, Table
from rich.text import Text

from uncia.camtrap.names import camera_matches
from uncia.errors import PermanentError
from uncia.events import ClockJudged, ClockVerdict
from uncia.kafka.broker import read_topics
from uncia.settings import Settings, settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.topics import CLOCK_JUDGED

_STYLES = {ClockVerdict.WRONG: "red", ClockVerdict.SUSPICIOUS: "yellow", ClockVerdict.OK: "green"}
_ORDER = (ClockVerdict.WRONG, ClockVerdict.SUSPICIOUS, ClockVerdict.UNKNOWN, ClockVerdict.OK)


def clocks(
    camera: str = typer.Option(
        None, help="Show only this camera (`<station>/<camera>`) or this station. Default: all."
    ),
    bad: bool = typer.Option(False, "--bad", help="Show only clocks that are wrong or suspicious."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the assessment of each camera's clock with the reasons, the worst first."""
    verdicts = [
        event
        for event in _read_clock_verdicts(settings())
        if camera_matches(camera or "", event.camera)
        and (not bad or event.verdict in (ClockVerdict.WRONG, ClockVerdict.SUSPICIOUS))
    ]
    if as_json:
        echo_json([event.model_dump(mode="json", exclude_none=True) for event in verdicts])
        return
    if not verdicts:
        echo("no clock is wrong or suspicious" if bad else "no clock has been assessed yet")
        return
    # A pipe has no width.
    plain_console(width=None if sys.stdout.isatty() else 160).print(build_table(verdicts))


def _read_clock_verdicts(config: Settings) -> list[ClockJudged]:
    """Return the newest verdict on each camera's clock, the worst first. Events that cannot be decoded are skipped."""
    newest: dict[str, ClockJudged] = {}
    for message in read_topics(config, (CLOCK_JUDGED,), from_beginning=True, until_end=True):
        try:
            event = ClockJudged.from_bytes(message.value)
        except PermanentError:
            continue
        newest[event.camera] = event
    return sorted(newest.values(), key=lambda event: (_ORDER.index(event.verdict), event.camera))


def build_table(verdicts: list[ClockJudged]) -> Table:
    """Return a table with one row per camera."""
    headings = ("camera", "clock", "ahead by", "since", "reasons")
    table = Table(*(Column(heading, overflow="fold") for heading in headings))
    for event in verdicts:
        table.add_row(
            Text(event.camera),
            Text(event.verdict, style=_STYLES.get(event.verdict, "")),
            "" if event.offset_s is None else format_offset(event.offset_s),
            f"{event.judged_at:%Y-%m-%d %H:%M}Z",
            Text(_explain_verdict(event)),
        )
    return table


def _explain_verdict(event: ClockJudged) -> str:
    """Return the reasons for a verdict as text; without reasons, the checks that were not possible."""
    if event.reasons:
        return "; ".join(f"{reason.text} ({reason.occasions} of {reason.of} triggers)" for reason in event.reasons)
    if event.verdict is ClockVerdict.UNKNOWN:
        return "too few triggers so far"
    evidence = event.evidence
    checks = (("sun", evidence.sun), ("frame numbers", evidence.order))
    unchecked = [name for name, count in checks if not count]
    return "consistent" + (f" (not checked: {', '.join(unchecked)})" if unchecked else "")


def format_offset(seconds: float) -> str:
    """Format a clock error, such as `+5:45:00` or `-100 days`; positive when the clock is ahead."""
    sign, length = "-" if seconds < 0 else "+", abs(round(seconds))
    if length >= 2 * 86400:
        return f"{sign}{length // 86400} days"
    return f"{sign}{length // 3600}:{length % 3600 // 60:02}:{length % 60:02}"
