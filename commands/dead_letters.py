"""`uncia dead-letters list | show | retry | drop`."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

import typer

from uncia.errors import UnciaError
from uncia.producers.dead_letters.reading import Letter, Wanted, ids_of, read_letters, read_settled
from uncia.producers.dead_letters.rendering import SHOWN_BYTES, line_of, page_of, record_of
from uncia.producers.dead_letters.settling import Outcome, Settler
from uncia.settings import settings
from uncia.terminal import echo, echo_json

app = typer.Typer(help="Messages that could not be processed: list, show, send back, put away.", no_args_is_help=True)

How = Callable[[Iterable[Letter]], Iterator[Outcome]]

_IDS = typer.Argument(None, metavar="ID...", help="As `list` shows them: 0:17.")
_REASON = typer.Option("", "--reason", help="Only with this reason.")
_STAGE = typer.Option("", "--stage", help="Only of this worker: intake, predict, bursts.")
_SINCE = typer.Option(None, "--since", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Only newer ones; UTC.")
_ALL = typer.Option(False, "--all", help="All that are open.")
_JSON = typer.Option(False, "--json", help="Print one JSON object a line.")


@app.command("list")
def list_letters(
    reason: str = _REASON,
    stage: str = _STAGE,
    since: datetime | None = _SINCE,
    all_states: bool = typer.Option(False, "--all-states", help="Also those that were sent back or dropped."),
    as_json: bool = _JSON,
) -> None:
    """Show the open dead letters, one a line."""
    settled = read_settled(settings())
    shown = 0
    for letter in read_letters(settings(), _wanted([], reason, stage, since)):
        mark = settled.of(letter)
        if mark is None or all_states:
            shown += 1
            echo(json.dumps(record_of(letter, mark)) if as_json else line_of(letter, mark))
    if not as_json:
        echo(f"dead letters={shown}")


@app.command()
def show(
    letter: str = typer.Argument(help="The letter's id, as 0:17."),
    size: int = typer.Option(SHOWN_BYTES, "--bytes", min=0, help="At most so many bytes of its value."),
    raw: bool = typer.Option(False, "--raw", help="Write the value's bytes alone, unchanged, for another program."),
) -> None:
    """Show one letter: why, its headers, and its value, text as text and anything else as a hex dump."""
    (found,) = _exactly(frozenset(ids_of([letter])))
    if raw:
        typer.echo(found.message.value or b"", nl=False)  # the very bytes, for whoever asks for them
        return
    echo(page_of(found, read_settled(settings()).of(found), size), lines=True)


def _settling(name: str, says: str, how: Callable[[Settler], How]) -> None:
    @app.command(name, help=says)
    def settle(
        ids: list[str] = _IDS,
        reason: str = _REASON,
        stage: str = _STAGE,
        since: datetime | None = _SINCE,
        everything: bool = _ALL,
        as_json: bool = _JSON,
    ) -> None:
        with Settler(settings()) as settler:
            _settle(how(settler), _some(ids, reason, stage, since, everything), as_json)


_settling(
    "retry",
    "Send letters back to the topic they came from, with the original bytes, key and headers.",
    lambda settler: settler.retry,
)
_settling(
    "drop",
    "Put letters away: `list` shows them no more. Their bytes stay in the topic for as long as it keeps them.",
    lambda settler: settler.drop,
)


def _settle(how: How, wanted: Wanted, as_json: bool) -> None:
    settled = read_settled(settings())
    letters = _exactly(wanted.ids) if wanted.ids is not None else read_letters(settings(), wanted)
    done = refused = before = 0

    def still_open() -> Iterator[Letter]:
        nonlocal before
        for letter in letters:
            if (mark := settled.of(letter)) is None:
                yield letter
                continue
            before += 1
            if wanted.ids is not None and not as_json:
                echo(f"{letter.id} was {mark.settlement.value} before, at {mark.settled_at:%Y-%m-%d %H:%M:%S}")

    for outcome in how(still_open()):
        done, refused = done + (outcome.mark is not None), refused + (outcome.mark is None)
        if as_json:
            echo_json({**record_of(outcome.letter, outcome.mark), "refused": outcome.refused or None})
        elif outcome.mark is None:
            echo(f"{outcome.letter.id} stays: {outcome.refused}")
        else:
            where = f" to {outcome.mark.sent_to}" if outcome.mark.sent_to else ""
            echo(f"{outcome.letter.id} {outcome.mark.settlement.value}{where}")
    if not as_json:
        echo(f"done={done} refused={refused} done before={before}")
    if refused:
        raise typer.Exit(1)


def _some(ids: list[str] | None, reason: str, stage: str, since: datetime | None, everything: bool) -> Wanted:
    if not (ids or reason or stage or since or everything):
        raise UnciaError("say which: ids as `uncia dead-letters list` shows them, --reason, --stage, --since or --all")
    return _wanted(ids or [], reason, stage, since)


def _wanted(ids: list[str], reason: str, stage: str, since: datetime | None) -> Wanted:
    return Wanted(ids_of(ids) if ids else None, reason, stage, since.replace(tzinfo=UTC) if since else None)


def _exactly(ids: frozenset[str]) -> list[Letter]:
    """These letters. Raises `UnciaError` when one is not there."""
    found = list(read_letters(settings(), Wanted(ids)))
    if missing := sorted(ids - {letter.id for letter in found}):
        raise UnciaError(f"no dead letter {', '.join(missing)}: `uncia dead-letters list --all-states` shows all")
    return found
