"""`uncia clocks`: show whether the clock of each camera is right."""

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
    camera: str = typer.Option(None, help="Only this camera, `<station>/<camera>`, or this station."),
    bad: bool = typer.Option(False, "--bad", help="Only clocks that are wrong or suspicious."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show whether the clock of each camera is right, and why not; the worst first."""
    shown = [
        judged
        for judged in judged_clocks(settings())
        if camera_matches(camera or "", judged.camera)
        and (not bad or judged.verdict in (ClockVerdict.WRONG, ClockVerdict.SUSPICIOUS))
    ]
    if as_json:
        echo_json([each.model_dump(mode="json", exclude_none=True) for each in shown])
        return
    if not shown:
        echo("no clock was judged wrong or suspicious" if bad else "no clock was judged yet")
        return
    # A pipe has no width.
    plain_console(width=None if sys.stdout.isatty() else 160).print(table_of(shown))


def judged_clocks(config: Settings) -> list[ClockJudged]:
    """The last word on each camera, the worst first. What cannot be read is left out."""
    last: dict[str, ClockJudged] = {}
    for message in read_topics(config, (CLOCK_JUDGED,), from_beginning=True, until_end=True):
        try:
            judged = ClockJudged.from_bytes(message.value)
        except PermanentError:
            continue
        last[judged.camera] = judged
    return sorted(last.values(), key=lambda each: (_ORDER.index(each.verdict), each.camera))


def table_of(judged: list[ClockJudged]) -> Table:
    """The table, one row per camera."""
    headings = ("camera", "clock", "ahead by", "since", "why")
    table = Table(*(Column(heading, overflow="fold") for heading in headings))
    for each in judged:
        table.add_row(
            Text(each.camera),
            Text(each.verdict, style=_STYLES.get(each.verdict, "")),
            "" if each.offset_s is None else offset_in_words(each.offset_s),
            f"{each.judged_at:%Y-%m-%d %H:%M}Z",
            Text(why(each)),
        )
    return table


def why(judged: ClockJudged) -> str:
    """The reasons of a verdict; without reasons, the checks on which it is based."""
    if judged.reasons:
        return "; ".join(f"{each.text} ({each.occasions} of {each.of} occasions)" for each in judged.reasons)
    if judged.verdict is ClockVerdict.UNKNOWN:
        return "too few occasions yet"
    seen = judged.evidence
    unchecked = [name for name, count in (("the sun", seen.sun), ("its own numbers", seen.order)) if not count]
    return "no contradiction found" + (f" ({' and '.join(unchecked)} not checked)" if unchecked else "")


def offset_in_words(seconds: float) -> str:
    """`+5:45:00`, `-100 days`: how far the clock is ahead."""
    sign, length = "-" if seconds < 0 else "+", abs(round(seconds))
    if length >= 2 * 86400:
        return f"{sign}{length // 86400} days"
    return f"{sign}{length // 3600}:{length % 3600 // 60:02}:{length % 60:02}"
