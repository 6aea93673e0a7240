"""What a choice of `uncia forget` means by the catalogue, when it is planned and again while it is carried out."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine

from uncia.dashboard.catalogue.forgetting import (
    Choice,
    copies_of,
    derived_of,
    known_cameras,
    photographs_of,
    still_known,
)
from uncia.errors import UnciaError
from uncia.ids import image_id
from uncia.kafka.sound_events import SoundEvents
from uncia.producers.forget.events import withdrawn_crop, withdrawn_explanation
from uncia.producers.forget.plan import ForgetPlan, PlannedPhotograph
from uncia.producers.forget.recordings import uploads_of_recordings, uploads_with_voice
from uncia.producers.forget.run import Search

__all__ = ["make_plan", "needs_sounds", "search_again"]

_RECORDING = "rec-"


def needs_sounds(choice: Choice) -> bool:
    """Whether what the choice means depends on what was heard in recordings."""
    return choice.people or "person" in choice.expired or any(name.startswith(_RECORDING) for name in choice.images)


def make_plan(
    engine: Engine, choice: Choice, what: str, person_threshold: float, sounds: SoundEvents | None = None
) -> ForgetPlan:
    """What the choice means; `sounds`: what was heard, where `needs_sounds`.

    Raises `UnciaError` for photographs, recordings and cameras that are not in the catalogue.
    """
    events = sounds or SoundEvents()
    recordings = uploads_of_recordings(events, [name for name in choice.images if name.startswith(_RECORDING)])
    choice = replace(
        choice,
        images=tuple(name for name in choice.images if name not in recordings),
        uploads=tuple(sorted(set().union(*recordings.values()))),
        voices=uploads_with_voice(events),
    )
    with engine.begin() as connection:
        if choice.camera is not None and choice.camera not in (known := known_cameras(connection)):
            near = difflib.get_close_matches(choice.camera, known, 3)
            raise UnciaError(
                f"there is no camera {choice.camera!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")
            )
        rows = photographs_of(connection, choice, person_threshold)
        photographs = tuple(_photograph(row) for row in rows)
        found = {one.upload_id for one in photographs}
        unknown = sorted(set(choice.images) - {one.image_id for one in photographs})
        unknown += sorted(name for name, uploads in recordings.items() if not uploads & found)
        if unknown:
            raise UnciaError(
                f"the catalogue knows no photograph {', '.join(unknown[:5])} (that is not forgotten, and fulfils the "
                "other conditions): `uncia bursts explain` names those of a burst, and `uncia sounds list --json` "
                "recordings"
            )
        plan = ForgetPlan(what=what, made_at=datetime.now(UTC), photographs=photographs)
        return _search(connection, plan).plan


def search_again(engine: Engine, plan: ForgetPlan) -> Search:
    """What the catalogue knows about the plan's photographs now."""
    with engine.begin() as connection:
        return _search(connection, plan)


def _search(connection: Connection, plan: ForgetPlan) -> Search:
    now = datetime.now(UTC)
    kept = tuple(
        _photograph(row) for row in copies_of(connection, {one.image_id for one in plan.photographs}, plan.uploads)
    )
    images = plan.model_copy(update={"kept": kept}).images
    derived = derived_of(connection, images)
    crops = {row["crop_id"]: withdrawn_crop(row, now) for row in derived.crops}
    explanations = {row["explanation_id"]: withdrawn_explanation(row, now) for row in derived.explanations}
    renewed = plan.renewed(kept, derived.bursts, crops.values(), explanations.values())
    return Search(
        renewed,
        tuple(crops[row["crop_id"]] for row in derived.crops if row["withdrawn"] is None),
        tuple(explanations[row["explanation_id"]] for row in derived.explanations if row["heat_map_key"] is not None),
        still_known(connection, images, renewed.uploads, renewed.copies),
    )


def _photograph(row: Mapping[str, Any]) -> PlannedPhotograph:
    named = {name: row[name] for name in PlannedPhotograph.model_fields}
    # One that is not predicted yet has the id that a photograph has whose content could not be read.
    return PlannedPhotograph(**{**named, "image_id": row["image_id"] or image_id(row["camera"], row["upload_id"])})
