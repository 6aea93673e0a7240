"""`uncia dead-letters`: list, show, retry and drop messages that could not be processed."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

import typer

from uncia.errors import UnciaError
from uncia.producers.dead_letters.reading import (
    DeadLetterFilter,
    DeadLetterRecord,
    parse_ids,
    read_dead_letters,
    read_settlements,
)
from uncia.producers.dead_letters.rendering import MAX_SHOWN_BYTES, render_details, render_line, to_json_object
from uncia.producers.dead_letters.settlement import DeadLetterSettler, SettlementResult
from uncia.settings import settings
from uncia.terminal import echo, echo_json

app = typer.Typer(help="List, show, retry and drop messages that could not be processed.", no_args_is_help=True)

Action = Callable[[Iterable[DeadLetterRecord]], Iterator[SettlementResult]]

_IDS = typer.Argument(None, metavar="ID...", help="Ids of dead letters, as `list` prints them, such as 0:17.")
_REASON = typer.Option("", "--reason", help="Select only dead letters with this reason.")
_STAGE = typer.Option("", "--stage", help="Select only dead letters of this worker: intake, predict or bursts.")
_SINCE = typer.Option(
    None,
    "--since",
    formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
    help="Select only dead letters written at this time (UTC) or later.",
)
_ALL = typer.Option(False, "--all", help="Select all open dead letters.")
_JSON = typer.Option(False, "--json", help="Print one JSON object per line.")


@app.command("list")
def list_letters(
    reason: str = _REASON,
    stage: str = _STAGE,
    since: datetime | None = _SINCE,
    all_states: bool = typer.Option(False, "--all-states", help="Also list dead letters that were retried or dropped."),
    as_json: bool = _JSON,
) -> None:
    """List the open dead letters, one per line."""
    settlements = read_settlements(settings())
    shown = 0
    for letter in read_dead_letters(settings(), _filter([], reason, stage, since)):
        settlement = settlements.of(letter)
        if settlement is None or all_states:
            shown += 1
            echo(json.dumps(to_json_object(letter, settlement)) if as_json else render_line(letter, settlement))
    if not as_json:
        echo(f"dead letters={shown}")


@app.command()
def show(
    letter: str = typer.Argument(help="Id of the dead letter, such as 0:17."),
    size: int = typer.Option(MAX_SHOWN_BYTES, "--bytes", min=0, help="Maximum number of bytes of the value to show."),
    raw: bool = typer.Option(False, "--raw", help="Write only the unmodified bytes of the value to standard output."),
) -> None:
    """Show one dead letter: the reason, the headers, and the value as text or as a hex dump."""
    (found,) = _by_ids(frozenset(parse_ids([letter])))
    if raw:
        typer.echo(found.message.value or b"", nl=False)  # unescaped, as requested
        return
    echo(render_details(found, read_settlements(settings()).of(found), size), lines=True)


def _add_command(name: str, help_text: str, action: Callable[[DeadLetterSettler], Action]) -> None:
    @app.command(name, help=help_text)
    def settle(
        ids: list[str] = _IDS,
        reason: str = _REASON,
        stage: str = _STAGE,
        since: datetime | None = _SINCE,
        everything: bool = _ALL,
        as_json: bool = _JSON,
    ) -> None:
        with DeadLetterSettler(settings()) as settler:
            _settle(action(settler), _checked_filter(ids, reason, stage, since, everything), as_json)


_add_command(
    "retry",
    "Send dead letters to their source topic again, with the original bytes, key and headers.",
    lambda settler: settler.retry,
)
_add_command(
    "drop",
    "Mark dead letters as dropped: `list` omits them. Their bytes remain in the topic until its retention ends.",
    lambda settler: settler.drop,
)


def _settle(action: Action, letter_filter: DeadLetterFilter, as_json: bool) -> None:
    """Apply an action to the selected dead letters and print the results. Exits with status 1 if one is refused."""
    settlements = read_settlements(settings())
    ids = letter_filter.ids
    letters = _by_ids(ids) if ids is not None else read_dead_letters(settings(), letter_filter)
    done = refused = settled_before = 0

    def open_letters() -> Iterator[DeadLetterRecord]:
        nonlocal settled_before
        for letter in letters:
            if (settled := settlements.of(letter)) is None:
                yield letter
                continue
            settled_before += 1
            if ids is not None and not as_json:
                echo(f"{letter.id} was already {settled.settlement.value} at {settled.settled_at:%Y-%m-%d %H:%M:%S}")

    for result in action(open_letters()):
        letter, settled = result.letter, result.settled
        done, refused = done + (settled is not None), refused + (settled is None)
        if as_json:
            echo_json({**to_json_object(letter, settled), "refused": result.refused or None})
        elif settled is None:
            echo(f"{letter.id} remains open: {result.refused}")
        else:
            sent_to = f" to {settled.sent_to}" if settled.sent_to else ""
            echo(f"{letter.id} {settled.settlement.value}{sent_to}")
    if not as_json:
        echo(f"done={done} refused={refused} done before={settled_before}")
    if refused:
        raise typer.Exit(1)


def _checked_filter(
    ids: list[str] | None, reason: str, stage: str, since: datetime | None, everything: bool
) -> DeadLetterFilter:
    """Return the filter for an action. Raises `UnciaError` without a condition: it would select all."""
    if not (ids or reason or stage or since or everything):
        raise UnciaError(
            "select dead letters by ids from `uncia dead-letters list`, or with --reason, --stage, --since or --all"
        )
    return _filter(ids or [], reason, stage, since)


def _filter(ids: list[str], reason: str, stage: str, since: datetime | None) -> DeadLetterFilter:
    since_utc = since.replace(tzinfo=UTC) if since else None
    return DeadLetterFilter(parse_ids(ids) if ids else None, reason, stage, since_utc)


def _by_ids(ids: frozenset[str]) -> list[DeadLetterRecord]:
    """Return the dead letters with these ids. Raises `UnciaError` when one does not exist."""
    found = list(read_dead_letters(settings(), DeadLetterFilter(ids)))
    if missing := sorted(ids - {letter.id for letter in found}):
        raise UnciaError(f"no dead letter {', '.join(missing)}: `uncia dead-letters list --all-states` shows all")
    return found
