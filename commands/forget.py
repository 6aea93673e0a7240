"""`uncia forget`: remove photographs and what was derived from them, for good."""

import getpass
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer
from pydantic import SecretStr
from sqlalchemy import Engine

from uncia.audit import AuditLog, audit_file_of_process
from uncia.commands.forget_discard import discard_plan
from uncia.commands.forget_older_versions import remove_older_versions
from uncia.commands.forget_plan import make_plan, needs_sounds, search_again
from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.forgetting import Choice
from uncia.dashboard.catalogue.schema import check_current
from uncia.errors import UnciaError
from uncia.kafka.sound_events import SoundEvents, read_sound_events
from uncia.producers.forget.plan import ForgetPlan, PlannedPhotograph, pending_plans, plans_folder
from uncia.producers.forget.recordings import HeardRecordings, heard_recordings, planned_recordings
from uncia.producers.forget.remains import what_remains
from uncia.producers.forget.removal import StoreRemoval
from uncia.producers.forget.run import ForgetResult, Forgetting, Search, check_nothing_left
from uncia.settings import Settings, settings, stack_dir
from uncia.storage.object_store import ObjectStore
from uncia.storage.process_lock import exclusive
from uncia.terminal import counted, echo, echo_json

_SHOWN = 20


def forget(
    images: list[str] = typer.Argument(
        None, metavar="[IMAGE]...", help="Ids of photographs, `img-...`, or recordings, `rec-...`."
    ),
    camera: str = typer.Option(None, help="All photographs and recordings of this camera, `<station>/<camera>`."),
    since: str = typer.Option(
        None,
        "--from",
        metavar="TIME",
        help="Taken from this time on, by the camera's clock: 2026-05-01[T10:30:00].",
    ),
    until: str = typer.Option(
        None, metavar="TIME", help="Taken before this time, by the camera's clock; a day alone is included."
    ),
    people: bool = typer.Option(
        False, "--people", help="Only photographs of bursts with a person, and recordings with a voice."
    ),
    expired: bool = typer.Option(
        False, "--expired", help="Photographs that are older than UNCIA_RETENTION_..._DAYS of their category."
    ),
    resume: bool = typer.Option(False, "--resume", help="Only complete what an interrupted run began."),
    discard: str = typer.Option(
        None, metavar="PLAN", help="Give up the stored plan of an interrupted run, `fgt-...`, without completing it."
    ),
    older_versions: int = typer.Option(
        None,
        "--older-versions",
        metavar="DAYS",
        min=0,
        help="Instead of photographs: what was replaced or deleted at least DAYS days ago and is kept as an older "
        "version (UNCIA_KEEP_VERSIONS).",
    ),
    yes: bool = typer.Option(False, "--yes", help="Carry the plan out. Without it, it is only shown."),
    store_keys: Path = typer.Option(
        None, help="File with the store's administrative key. Default: keys/store-admin.json of the stack."
    ),
    wait: float = typer.Option(120, min=1, help="Seconds to wait for the workers, at most, at each of three points."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Remove photographs, their crops, explanations, predictions and places in bursts. Shows the plan without `--yes`.

    Sound recordings are removed likewise, with the calls that were heard in them and their spectrograms.

    Several conditions mean the photographs that fulfil all of them. A run that was interrupted is completed by the next
    one with `--yes`, or given up by `--discard`. docs/people.md says what remains.
    """
    config = settings()
    if discard is not None:
        if images or camera or since or until or people or expired or resume:
            raise UnciaError("--discard takes the name of one stored plan, and no photographs: leave them out")
        discard_plan(config, discard, yes=yes, as_json=as_json)
        return
    if older_versions is not None:
        if images or camera or since or until or people or expired or resume:
            raise UnciaError("--older-versions takes no photographs: leave them out")
        remove_older_versions(config, _admin_store(config, store_keys), older_versions, yes=yes, as_json=as_json)
        return
    choice = _choice(config, images or [], camera, since, until, people=people, expired=expired, resume=resume)
    say: Callable[[str], None] = (lambda line: None) if as_json else echo
    engine = open_database(catalogue_url(config), read_only=True)
    check_current(engine)
    folder = plans_folder(config)
    plan, heard = None, HeardRecordings()
    if choice is not None:
        sounds = read_sound_events(config) if needs_sounds(choice[0]) else None
        plan = make_plan(engine, *choice, config.person_threshold, sounds)
        heard = _heard(config, plan, sounds)
    earlier = [ForgetPlan.load(path) for path in pending_plans(folder)]
    for one in earlier:
        say(
            f"interrupted earlier: {one.name} of {one.made_at:%Y-%m-%d} ({one.what}), {_uploads(one)}; --yes completes "
            f"it first, `uncia forget --discard {one.name} --yes` discards it"
        )
    if plan is not None:
        _show(plan, heard, say)
    if not yes:
        if as_json:
            echo_json(
                {
                    "plan": {**_numbers(plan), **_sounds(plan, heard)} if plan else None,
                    "interrupted": [_numbers(one) for one in earlier],
                }
            )
        say("nothing was removed: add --yes to carry it out")
        return
    store = _admin_store(config, store_keys)
    removal = StoreRemoval(store, config.bucket, config.max_object_mb * 1_048_576)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    results = []
    with exclusive(folder / "lock", UnciaError("another `uncia forget` is running: wait until it ends")):
        # Anew: another run may have completed or discarded one meanwhile.
        earlier = [ForgetPlan.load(path) for path in pending_plans(folder)]
        plans = {one.name: one for one in (*earlier, *([plan] if plan and plan.photographs else ()))}
        for one in plans.values():
            results.append(_carry_out(one, config, removal, engine, folder, wait, say))
    if as_json:
        echo_json({"forgotten": results, "remains": what_remains(datetime.now(UTC))})
        return
    if results:
        echo("What remains:")
        for line in what_remains(datetime.now(UTC)):
            echo(f"- {line}")


def _choice(
    config: Settings,
    images: list[str],
    camera: str | None,
    since: str | None,
    until: str | None,
    *,
    people: bool,
    expired: bool,
    resume: bool,
) -> tuple[Choice, str] | None:
    """The choice and its description; None to resume only. Raises `UnciaError`."""
    if resume:
        if images or camera or since or until or people or expired:
            raise UnciaError("--resume completes what was begun, and takes no photographs: leave them out")
        return None
    ages = _ages(config, datetime.now(UTC)) if expired else {}
    if expired and not ages:
        raise UnciaError("no retention is set: set UNCIA_RETENTION_PERSON_DAYS, for example")
    if (since or until) and not (camera or people):
        raise UnciaError("a period needs --camera or --people: without one it would mean all cameras")
    choice = Choice(tuple(images), camera, _time(since, "--from"), _time(until, "--until", end=True), people, ages)
    if choice == Choice():
        raise UnciaError("nothing is chosen: name photographs, or use --camera, --people or --expired")
    words = [*images[:5], *([f"and {len(images) - 5} more"] if len(images) > 5 else [])]
    words += [f"camera {camera}"] if camera else []
    words += [f"from {since}"] if since else []
    words += [f"until {until}"] if until else []
    words += ["people"] if people else []
    words += [f"{category} before {before:%Y-%m-%d}" for category, before in ages.items()]
    return choice, ", ".join(words)


def _ages(config: Settings, now: datetime) -> dict[str, datetime]:
    days = {
        "person": config.retention_person_days,
        "vehicle": config.retention_vehicle_days,
        "blank": config.retention_blank_days,
        "animal": config.retention_animal_days,
    }
    return {category: now - timedelta(days=count) for category, count in days.items() if count is not None}


def _time(text: str | None, option: str, *, end: bool = False) -> datetime | None:
    """A time by a camera's clock. The end of the day, where `end` and no time of day is given."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UnciaError(f"{option} {text!r} is not a time: write 2026-05-01, or 2026-05-01T10:30:00") from None
    if moment.tzinfo is not None:
        raise UnciaError(
            f"{option} {text!r} names a time zone, and a camera's clock has none: write the time that the camera shows"
        )
    if not end or len(text) > len("2026-05-01"):
        return moment
    try:
        return moment + timedelta(days=1)
    except OverflowError:
        return moment


def _admin_store(config: Settings, store_keys: Path | None) -> ObjectStore:
    """The store with its administrative key. Raises `UnciaError`."""
    path = store_keys or stack_dir() / "keys" / "store-admin.json"
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
        update = {"s3_access_key": str(keys["access_key"]), "s3_secret_key": SecretStr(str(keys["secret_key"]))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnciaError(
            f"the store's administrative key cannot be read from {path} ({error!r}): no other key may delete "
            "photographs; name its file by --store-keys"
        ) from error
    store = ObjectStore(config.model_copy(update=update))
    store.check_bucket(config.bucket)
    return store


def _carry_out(
    plan: ForgetPlan,
    config: Settings,
    removal: StoreRemoval,
    engine: Engine,
    folder: Path,
    wait: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    audit = AuditLog(audit_file_of_process(config.data_dir))

    def begin() -> None:
        plan.store(folder)
        audit.record("forget_begun", getpass.getuser(), plan.what, plan=plan.name, photographs=len(plan.photographs))

    def search(current: ForgetPlan) -> Search:
        return search_again(engine, current)

    result = Forgetting(config, plan, removal, begin, search, wait, say).run()
    _clear_thumbnails(config)
    check_nothing_left(result)
    plan.path(folder).unlink(missing_ok=True)
    audit.record("forgotten", getpass.getuser(), plan.what, plan=plan.name, photographs=result.photographs)
    _report(plan, result, say)
    return {
        "plan": plan.name,
        "what": plan.what,
        "photographs": result.photographs,
        "bursts_revised": result.bursts_revised,
        "bursts_removed": result.bursts_removed,
        "versions_deleted": result.versions_deleted,
        "kept": result.kept,
    }


def _clear_thumbnails(config: Settings) -> None:
    """Empty the dashboard's cache, whose files name no photograph; pages fill it again."""
    from uncia.dashboard.web.server import dashboard_dir

    for path in (dashboard_dir(config) / "thumbnails").glob("??/*"):
        path.unlink(missing_ok=True)


def _heard(config: Settings, plan: ForgetPlan, sounds: SoundEvents | None) -> HeardRecordings:
    if not planned_recordings(plan):
        return HeardRecordings()
    return heard_recordings(plan, read_sound_events(config) if sounds is None else sounds)


def _show(plan: ForgetPlan, heard: HeardRecordings, say: Callable[[str], None]) -> None:
    for one in plan.photographs[:_SHOWN]:
        say(f"{one.image_id}  {one.key}")
    if len(plan.photographs) > _SHOWN:
        say(f"... and {len(plan.photographs) - _SHOWN} more")
    recordings = planned_recordings(plan)
    if len(plan.photographs) > len(recordings) or not recordings:
        uploads = {one.upload_id for one in recordings}
        photographs = [one for one in plan.photographs if one.upload_id not in uploads]
        say(
            f"{_of_cameras(photographs, 'photograph', 'camera')}, in {counted(len(plan.bursts), 'burst')}, with "
            f"{counted(len(plan.crops), 'crop')} and {counted(len(plan.explanations), 'explanation')}"
        )
    if recordings:
        say(f"{_of_cameras(recordings, 'sound recording', 'recorder')}, with {counted(len(heard.calls), 'call')}")
    _show_kept([f"{one.image_id}  {one.key}, uploaded {one.uploaded_at:%Y-%m-%d}" for one in plan.kept], say)


def _of_cameras(uploads: Sequence[PlannedPhotograph], noun: str, camera: str) -> str:
    return f"{counted(len(uploads), noun)} of {counted(len({one.camera for one in uploads}), camera)}"


def _uploads(plan: ForgetPlan) -> str:
    """How many photographs and recordings a plan has: `2 photographs and 1 sound recording`."""
    recordings = len(planned_recordings(plan))
    photographs = len(plan.photographs) - recordings
    parts = [counted(photographs, "photograph")] if photographs or not recordings else []
    return " and ".join([*parts, *([counted(recordings, "sound recording")] if recordings else [])])


def _show_kept(kept: list[str], say: Callable[[str], None]) -> None:
    if not kept:
        return
    say(
        "not meant, and kept with the bursts, crops and explanations of their photographs: "
        f"{counted(len(kept), 'upload')}"
    )
    for line in kept[:_SHOWN]:
        say(f"  {line}")
    if len(kept) > _SHOWN:
        say(f"  ... and {len(kept) - _SHOWN} more")


def _numbers(plan: ForgetPlan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "what": plan.what,
        "images": sorted(plan.images),
        "keys": [one.key for one in plan.photographs],
        "bursts": len(plan.bursts),
        "crops": len(plan.crops),
        "explanations": len(plan.explanations),
        "kept": [one.key for one in plan.kept],
    }


def _sounds(plan: ForgetPlan, heard: HeardRecordings) -> dict[str, int]:
    return {"recordings": len(planned_recordings(plan)), "calls": len(heard.calls)}


def _report(plan: ForgetPlan, result: ForgetResult, say: Callable[[str], None]) -> None:
    say(
        f"forgotten: {_uploads(plan)}; {counted(result.versions_deleted, 'version')} deleted from the store, "
        f"{counted(result.bursts_revised, 'burst')} revised by this command, {result.bursts_removed} removed"
    )
    _show_kept(result.kept, say)
    say("searched: the store has no version of them, no burst lists them, and the catalogue only knows that they left")
