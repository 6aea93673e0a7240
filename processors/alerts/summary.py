"""An alert in one sentence. It names the camera and no position. Pure."""

from collections.abc import Sequence

from uncia.events import AlertBurst, AlertCause, BurstCategory

__all__ = ["summary_of"]


def summary_of(
    camera: str, bursts: Sequence[AlertBurst], cause: AlertCause | None = None, *, withdrawn: bool = False
) -> str:
    """Such as "snow leopard (Panthera uncia) at ridge/north, 2026-05-01 21:36 (3 bursts, at most 2 at once)".

    `bursts`: those that match; of a withdrawn alert those that did, by their present verdicts.
    """
    first = min(one.started_at for one in bursts)
    time = f"{first:%Y-%m-%d %H:%M}"
    if withdrawn and cause is AlertCause.RARITY:
        return f"withdrawn: {camera}, {time}: no rare sighting, now {_subject(bursts)}"
    if withdrawn:
        return f"withdrawn: {camera}, {time}: now {_subject(bursts)}"
    notes = ["rare there"] if cause is AlertCause.RARITY else []
    if len(bursts) > 1:
        notes.append(f"{len(bursts)} bursts")
    if (most := max((one.count or 1 for one in bursts), default=1)) > 1:
        notes.append(f"at most {most} at once")
    if all(one.status.value == "provisional" for one in bursts):
        notes.append("provisional")
    return f"{_subject(bursts)} at {camera}, {time}" + (f" ({', '.join(notes)})" if notes else "")


def _subject(bursts: Sequence[AlertBurst]) -> str:
    # The verdict of a person first, then the most probable one, then the earliest.
    best = max(bursts, key=lambda one: (one.reviewed, one.taxon is not None, one.confidence or 0))
    if best.taxon:
        return f"{best.label} ({best.taxon})" if best.label and best.label != best.taxon else best.taxon
    return _WORDS.get(best.category, "nothing recognised")


_WORDS: dict[BurstCategory | None, str] = {
    BurstCategory.ANIMAL: "an animal",
    BurstCategory.PERSON: "a person",
    BurstCategory.VEHICLE: "a vehicle",
    BurstCategory.BLANK: "a blank",
}
