"""`uncia individuals`: the registry of individuals, decisions about it, and capture histories."""

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from kafka.errors import KafkaError
from rich.table import Column, Table
from rich.text import Text

from uncia import ids
from uncia.camtrap.capture_tables import CaptureFormat
from uncia.camtrap.individual_decisions import individual_with_label, make_decision, named_crops
from uncia.camtrap.individual_tables import IndividualTable, as_decisions, of_one_taxon, sightings_of
from uncia.camtrap.individuals import Individual, Registry, RegistryState
from uncia.camtrap.table_reader import open_table
from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.events import (
    AnimalSide,
    IndividualCrop,
    IndividualDecided,
    IndividualDecision,
    IndividualSighted,
    SightingStatus,
)
from uncia.kafka.broker import read_topics, send_to_cameras
from uncia.settings import Settings, settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.topics import INDIVIDUAL_DECIDED, INDIVIDUAL_SIGHTED

app = typer.Typer(
    help="List individuals, decide who a burst shows, merge, split, rename and import individuals, and export "
    "capture histories (docs/individuals.md).",
    no_args_is_help=True,
)

_INDIVIDUAL = typer.Argument(metavar="INDIVIDUAL", help="Id, code or name of the individual.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_CODE = typer.Option(None, help="Short name, e.g. `F07`.")
_NAME = typer.Option(None, help="Name.")
_COMMENT = typer.Option(None, help="Comment that is kept with the decision.")


@app.command("list")
def list_(
    taxon: str = typer.Option(None, help="Only this taxon, by its scientific name."),
    proposed: bool = typer.Option(False, "--proposed", help="List the bursts that wait for a decision instead."),
    as_json: bool = _JSON,
) -> None:
    """List the individuals with their sightings, and decisions that change nothing."""
    config = settings()
    if proposed:
        _list_proposals(config, taxon, as_json)
        return
    state = read_registry(config).state()
    found = [each for each in state.current() if taxon in (None, each.taxon)]
    if as_json:
        echo_json(
            {
                "individuals": [_as_json(each) for each in found],
                "problems": [{"decision_id": each.decision_id, "message": each.message} for each in state.problems],
            }
        )
        return
    if found:
        plain_console().print(_table(found))
    else:
        echo("no individuals are known")
    for problem in state.problems:
        echo(f"{problem.decision_id} changes nothing: {problem.message}")


@app.command()
def show(individual: str = _INDIVIDUAL, as_json: bool = _JSON) -> None:
    """Show an individual: its sightings, its sides and its history, with the ids of the decisions."""
    state = read_registry(settings()).state()
    found = state.find(individual)
    if as_json:
        echo_json(_as_json(found))
        return
    echo(f"{found.label}  {found.individual_id}  {found.name or ''}  {found.taxon or ''}".rstrip())
    if found.merged_into:
        echo(f"merged into {state.individuals[found.merged_into].label}  {found.merged_into}")
    echo(f"sides: {', '.join(sorted(found.sides)) or 'unknown'}")
    for sighting in found.sightings:
        time = f"{sighting.captured_at:%Y-%m-%d %H:%M}" if sighting.captured_at else "time unknown"
        echo(f"{time}  {sighting.camera or 'camera unknown'}  {sighting.burst_id}  {sighting.decision_id}")
    for entry in found.history:
        words = [each for each in (entry.other_id, entry.code, entry.name) if each]
        echo(
            f"{entry.decided_at:%Y-%m-%d %H:%M} UTC  {entry.decision.value} {' '.join(words)}  "
            f"by {entry.reviewer}  {entry.decision_id}"
        )


@app.command()
def decide(
    burst: str = typer.Argument(help="Id of the burst (`uncia individuals list --proposed`)."),
    same: str = typer.Option(None, metavar="INDIVIDUAL", help="It is this individual: id, code or name."),
    new: bool = typer.Option(False, "--new", help="It is an individual that was unknown."),
    unsure: bool = typer.Option(False, "--unsure", help="It cannot be told yet."),
    reject: bool = typer.Option(False, "--reject", help="The crops cannot tell who it is."),
    crop: list[str] = typer.Option([], help="Only this crop of the burst, by its id. Repeatable. Default: all."),
    side: AnimalSide = typer.Option(AnimalSide.UNKNOWN, help="Side of the animal that these crops show."),
    code: str = _CODE,
    name: str = _NAME,
    comment: str = _COMMENT,
) -> None:
    """Decide who a burst shows: one of --same, --new, --unsure, --reject."""
    chosen = [
        each
        for each, given in (
            (IndividualDecision.SAME, same is not None),
            (IndividualDecision.NEW, new),
            (IndividualDecision.UNSURE, unsure),
            (IndividualDecision.REJECT, reject),
        )
        if given
    ]
    if len(chosen) != 1:
        raise UnciaError("decide one thing: --same INDIVIDUAL, --new, --unsure or --reject")
    config = settings()
    state = read_registry(config).state()
    sighted = _sighting(config, burst)
    decided = state.bursts.get(burst)
    crops = _crops(sighted, decided.crops if decided else (), crop, side)
    individual = None
    if same is not None:
        individual = state.resolve(state.find(same).individual_id)
    elif new:
        _check_free(state, code, name)
        individual = ids.individual_id(burst, _account(), datetime.now(UTC).isoformat())
    publish(
        config,
        build_decision(
            chosen[0],
            individual_id=individual,
            code=code if new else None,
            name=name if new else None,
            taxon=sighted.taxon if new else None,
            burst_id=burst,
            station=sighted.station,
            camera=sighted.camera,
            captured_at=sighted.started_at,
            crops=crops,
            comment=comment,
        ),
    )
    if new:
        echo(f"the new individual is {code or name or individual}  {individual}")


@app.command()
def merge(
    individual: str = _INDIVIDUAL,
    into: str = typer.Argument(help="The individual that it is: id, code or name."),
    sides: bool = typer.Option(False, "--sides", help="They are the left and the right side of one animal."),
    comment: str = _COMMENT,
) -> None:
    """Make two individuals one. The second keeps its id, code and name."""
    config = settings()
    state = read_registry(config).state()
    one, other = state.find(individual).individual_id, state.find(into).individual_id
    if state.resolve(one) == state.resolve(other):
        raise UnciaError(f"{individual} and {into} are one individual already")
    kind = IndividualDecision.LINK if sides else IndividualDecision.MERGE
    publish(config, build_decision(kind, individual_id=one, other_id=other, comment=comment))


@app.command()
def split(
    individual: str = _INDIVIDUAL,
    bursts: list[str] = typer.Argument(help="Ids of the bursts that show another individual."),
    code: str = _CODE,
    name: str = _NAME,
    comment: str = _COMMENT,
) -> None:
    """Make a new individual of some bursts of another one."""
    config = settings()
    state = read_registry(config).state()
    found = state.individuals[state.resolve(state.find(individual).individual_id) or ""]
    _check_free(state, code, name)
    own = {sighting.burst_id for sighting in found.sightings}
    foreign = [each for each in bursts if each not in own]
    if foreign:
        raise UnciaError(
            f"{', '.join(foreign)} shows no {found.label}: `uncia individuals show {found.label}` lists its bursts"
        )
    made = ids.individual_id(found.individual_id, _account(), datetime.now(UTC).isoformat())
    publish(
        config,
        build_decision(
            IndividualDecision.SPLIT,
            individual_id=made,
            other_id=found.individual_id,
            bursts=tuple(bursts),
            code=code,
            name=name,
            taxon=found.taxon,
            comment=comment,
        ),
    )
    echo(f"the new individual is {code or name or made}  {made}")


@app.command()
def rename(individual: str = _INDIVIDUAL, code: str = _CODE, name: str = _NAME, comment: str = _COMMENT) -> None:
    """Give an individual another code, another name, or both; an empty text removes it."""
    if code is None and name is None:
        raise UnciaError("nothing to change: give --code, --name or both")
    config = settings()
    state = read_registry(config).state()
    found = state.find(individual)
    _check_free(state, code, name, found.individual_id)
    publish(
        config,
        build_decision(
            IndividualDecision.RENAME, individual_id=found.individual_id, code=code, name=name, comment=comment
        ),
    )


@app.command()
def undo(
    decision: str = typer.Argument(help="Id of the decision (`uncia individuals show`)."), comment: str = _COMMENT
) -> None:
    """Undo a decision, whatever was decided after it. An undo can be undone by its own id."""
    config = settings()
    known = next((each for each in read_registry(config).decisions() if each.decision_id == decision), None)
    if known is None:
        raise UnciaError(f"no decision {decision!r}: `uncia individuals show INDIVIDUAL` lists them")
    # In the partition of what it undoes.
    publish(
        config,
        build_decision(
            IndividualDecision.UNDO,
            undoes=decision,
            burst_id=known.burst_id,
            station=known.station,
            camera=known.camera,
            individual_id=None if known.burst_id else known.individual_id,
            comment=comment,
        ),
    )


@app.command()
def export(
    kind: CaptureFormat = typer.Argument(metavar="FORMAT", help="secr, oscr, camtrapr or counts."),
    folder: Path = typer.Argument(help="Path of the new folder."),
    since: datetime = typer.Option(
        ..., formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First day of the survey, by the cameras' clocks."
    ),
    until: datetime = typer.Option(
        ..., formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Last day of the survey, by the cameras' clocks."
    ),
    taxon: str = typer.Option(None, help="Only this taxon, by its scientific name."),
    occasion_days: int = typer.Option(1, min=1, help="Days of an occasion."),
    exact_positions: bool = typer.Option(
        False,
        "--exact-positions",
        help="Write exact positions, which are secret. Default: rounded by sensitivity, which is too coarse for "
        "densities where the animal is sensitive.",
    ),
    as_json: bool = _JSON,
) -> None:
    """Export capture histories for secr, oSCR or camtrapR, or counts: minimum number alive, moves, turnover."""
    from uncia.commands.individuals_export import export_captures, without_bursts
    from uncia.processors.identify.sighting import SUPERSEDED

    config = settings()
    state = read_registry(config).state()
    individuals = [each for each in state.current() if taxon in (None, each.taxon)]
    # The photographs of a superseded burst are in its successor, where people decide again.
    superseded = {
        burst_id
        for burst_id, sighted in read_sightings(config).items()
        if sighted.status is SightingStatus.WITHDRAWN and sighted.reason == SUPERSEDED
    }
    individuals, again = without_bursts(individuals, superseded)
    left_out, captured = export_captures(
        config,
        kind,
        folder,
        individuals,
        first_day=since.date(),
        last_day=until.date(),
        occasion_days=occasion_days,
        exact=exact_positions,
    )
    if as_json:
        echo_json({"output": str(folder), "individuals": captured, "left_out": left_out, "superseded": again})
        return
    echo(f"{folder}: {captured} individuals")
    if again:
        echo(f"left out: {again} sightings of bursts that were superseded by another one")
    if left_out:
        echo(f"left out: {left_out} sightings outside the survey, or of a station without a deployment")


@app.command("import")
def import_(
    file: Path = typer.Argument(
        help="Path of the table: CSV with a heading. Or of a folder of pictures: FOLDER/INDIVIDUAL/picture.jpg, or "
        "FOLDER/INDIVIDUAL/left/picture.jpg (left, right, head)."
    ),
    kind: IndividualTable = typer.Option(
        None,
        "--format",
        help="wildbook: its bulk import and export; camtrap-dp: observations.csv with individualID; traptagger: its "
        "CSV with Individuals and Timestamp.",
    ),
    taxon: str = typer.Option(
        None, help="Of a folder of pictures, and of a table of TrapTagger: scientific name of the individuals."
    ),
    as_json: bool = _JSON,
) -> None:
    """Import sightings or pictures of named individuals as decisions. A second import of the same changes nothing."""
    if file.is_dir():
        if kind is not None or not taxon:
            raise UnciaError("a folder of pictures needs --taxon with the scientific name, and no --format")
        _import_pictures(file, taxon, as_json)
        return
    labelled = kind is IndividualTable.TRAPTAGGER
    if kind is None or bool(taxon) != labelled:
        raise UnciaError("a table needs --format; one of traptagger also needs --taxon, and the others have it")
    _import_table(file, kind, taxon, as_json)


def _import_pictures(folder: Path, taxon: str, as_json: bool) -> None:
    from uncia.commands.individuals_pictures import find_pictures, store_pictures

    config = settings()
    found = find_pictures(folder)
    state = read_registry(config).state()
    for name in sorted({picture.individual for picture in found.pictures.values()}):
        _check_free(state, name, None, ids.individual_id("folder", name))
    decisions = store_pictures(config, found, taxon, _account())
    send(config, *decisions)
    individuals = len({each.individual_id for each in decisions})
    if as_json:
        echo_json({"individuals": individuals, "pictures": len(decisions), "left_out": found.left_out})
        return
    echo(f"{folder}: {len(decisions)} pictures of {individuals} individuals; {found.left_out} files left out")


def _import_table(file: Path, kind: IndividualTable, taxon: str | None, as_json: bool) -> None:
    from uncia.producers.deployments.topic import known_deployments

    config = settings()
    try:
        with open_table(file) as table:
            found, without = sightings_of(kind, table.header, table)
            if taxon:
                found = of_one_taxon(found, taxon)
    except UnciaError as error:
        raise UnciaError(f"{file}: {error}") from error
    cameras = {each.deployment_id: each.camera for each in known_deployments(config).values()}
    decisions = as_decisions(kind, found, _account(), cameras)
    state = read_registry(config).state()
    for each in decisions:
        _check_free(state, each.code, None, each.individual_id)
    send(config, *decisions)
    individuals = len({each.individual_id for each in decisions})
    if as_json:
        echo_json({"individuals": individuals, "sightings": len(decisions), "without_individual": without})
        return
    echo(f"{file}: {len(decisions)} sightings of {individuals} individuals; {without} rows name none")


def read_registry(config: Settings) -> Registry:
    """All decisions of the topic. Those that cannot be read are skipped: a newer version may have written them."""
    registry = Registry(config.identify_reviewers)
    for message in read_topics(config, (INDIVIDUAL_DECIDED,), from_beginning=True, until_end=True):
        try:
            registry.add(IndividualDecided.from_bytes(message.value))
        except PermanentError:
            continue
    return registry


def read_sightings(config: Settings) -> dict[str, IndividualSighted]:
    """The newest revision of each sighting, by burst."""
    found: dict[str, IndividualSighted] = {}
    for message in read_topics(config, (INDIVIDUAL_SIGHTED,), from_beginning=True, until_end=True):
        if message.value is None:
            found.pop((message.key or b"").decode(errors="replace"), None)
            continue
        try:
            event = IndividualSighted.from_bytes(message.value)
        except PermanentError:
            continue
        known = found.get(event.burst_id)
        if known is None or known.revision <= event.revision:
            found[event.burst_id] = event
    return found


def build_decision(decision: IndividualDecision, **fields: Any) -> IndividualDecided:
    """A decision of the person who runs the command, made now."""
    return make_decision(decision, _account(), datetime.now(UTC), **fields)


def publish(config: Settings, decision: IndividualDecided) -> None:
    """Send a decision, and print the id by which it can be undone. Raises `DependencyDown`."""
    send(config, decision)
    echo(f"decided: {decision.decision_id} (`uncia individuals undo {decision.decision_id}` takes it back)")


def send(config: Settings, *decisions: IndividualDecided) -> None:
    """Send decisions. Raises `DependencyDown`."""
    messages = [(each.partition_key, each.message_key, each.to_bytes()) for each in decisions]
    try:
        send_to_cameras(config, INDIVIDUAL_DECIDED, messages)
    except KafkaError as error:
        raise DependencyDown(
            f"Kafka at {config.kafka} did not confirm ({type(error).__name__}): run the command again"
        ) from error


def _account() -> str:
    return getpass.getuser()


def _sighting(config: Settings, burst: str) -> IndividualSighted:
    found = read_sightings(config).get(burst)
    if found is None:
        raise UnciaError(
            f"the worker `identify` has published nothing about {burst!r}: `uncia individuals list --proposed`"
        )
    if found.status is SightingStatus.WITHDRAWN:
        raise UnciaError(f"the sighting of {burst} was withdrawn: {found.reason}")
    return found


def _crops(
    sighted: IndividualSighted, decided: Sequence[IndividualCrop], wanted: Sequence[str], side: AnimalSide
) -> tuple[IndividualCrop, ...]:
    try:
        return named_crops(sighted, decided, wanted, side)
    except ValueError as error:
        raise UnciaError(str(error)) from error


def _check_free(state: RegistryState, code: str | None, name: str | None, own: str | None = None) -> None:
    """Raise `UnciaError` for a code or a name that another individual has."""
    for word in (code, name):
        if (taken := individual_with_label(state, word, own)) is not None:
            raise UnciaError(f"{taken.individual_id} has the code or name {word!r} already")


def _list_proposals(config: Settings, taxon: str | None, as_json: bool) -> None:
    waiting = [
        each
        for each in read_sightings(config).values()
        if each.status is SightingStatus.PROPOSED and taxon in (None, each.taxon)
    ]
    waiting.sort(key=lambda each: (each.started_at, each.burst_id))
    if as_json:
        echo_json([each.model_dump(mode="json", exclude_none=True) for each in waiting])
        return
    if not waiting:
        echo("no burst waits for a decision")
        return
    state = read_registry(config).state()
    table = Table(*("burst", "camera", "time", "crops", "candidates", "new"))
    for each in waiting:
        candidates = ", ".join(f"{_label(state, one.individual_id)} {one.score:.2f}" for one in each.candidates[:3])
        new = "" if each.new_score is None else f"{each.new_score:.2f}"
        cells = (
            each.burst_id,
            each.camera,
            f"{each.started_at:%Y-%m-%d %H:%M}",
            str(len(each.crops)),
            candidates or each.reason or "",
            new,
        )
        table.add_row(*map(Text, cells))
    plain_console().print(table)


def _label(state: RegistryState, individual_id: str) -> str:
    found = state.individuals.get(individual_id)
    return found.label if found else individual_id


def _table(individuals: Sequence[Individual]) -> Table:
    table = Table(
        "code", "name", "id", "taxon", Column("sightings", justify="right"), "first seen", "last seen", "sides"
    )
    for each in individuals:
        seen = (f"{time:%Y-%m-%d}" if time else "" for time in (each.first_seen, each.last_seen))
        cells = (
            each.code or "",
            each.name or "",
            each.individual_id,
            each.taxon or "",
            str(len(each.sightings)),
            *seen,
        )
        table.add_row(*map(Text, (*cells, ", ".join(sorted(each.sides)))))
    return table


def _as_json(individual: Individual) -> dict[str, Any]:
    return {
        "individual_id": individual.individual_id,
        "code": individual.code,
        "name": individual.name,
        "taxon": individual.taxon,
        "merged_into": individual.merged_into,
        "first_seen": individual.first_seen.isoformat() if individual.first_seen else None,
        "last_seen": individual.last_seen.isoformat() if individual.last_seen else None,
        "sides": sorted(individual.sides),
        "sightings": [
            {
                "burst_id": each.burst_id,
                "station": each.station,
                "camera": each.camera,
                "captured_at": each.captured_at.isoformat() if each.captured_at else None,
                "crops": [crop.model_dump(mode="json") for crop in each.crops],
                "decision_id": each.decision_id,
                "reviewer": each.reviewer,
            }
            for each in individual.sightings
        ],
        "history": [
            {
                "decision_id": each.decision_id,
                "decision": each.decision.value,
                "reviewer": each.reviewer,
                "decided_at": each.decided_at.isoformat(),
                "other_id": each.other_id,
                "code": each.code,
                "name": each.name,
            }
            for each in individual.history
        ],
    }
