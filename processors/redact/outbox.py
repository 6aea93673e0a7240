"""What happens to the public event of one burst: drawn once, stored, published when it is due, corrected. Pure.

1. The public id and the due time are drawn by chance and stored before anything is published. A crash before they are
   stored draws others, which is no harm: nothing with the earlier ones has left the worker.
2. Nothing is published before it is due. What changes until then changes what is published, not the due time.
3. What changes afterwards is published under the same id, after another random delay, so that the time of a correction
   does not show when a person worked on which burst. A withdrawal alone does not wait: it can be a secret.
4. That an event is about to be published is stored before, too (`announced`). A crash after it was sent would otherwise
   leave a state in which the public sees nothing yet: a withdrawal that is read before the event is sent again would
   be taken for one of an event that was never published.
5. What is published is computed when it is published, from the deployments and the levels of then: a place that was
   made more secret meanwhile is published accordingly.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from uncia.events import BurstResolved, BurstStatus, PublicBurstResolved

__all__ = ["Entry", "View", "announced", "changed", "earliest_due", "is_due", "is_seen", "published", "stripped"]

_DAY_S = 86_400

View = Callable[[BurstResolved], PublicBurstResolved | None]
"""What the public sees of a verdict now, without an id."""


@dataclass(frozen=True)
class Entry:
    """The state of one burst. Times are in seconds since 1970."""

    public_id: str
    partition: int
    """Of the burst, and of this state."""
    burst: BurstResolved
    """The verdict, without its photographs."""
    due: float | None = None
    """When the public is to see the verdict; None: it does already."""
    published: PublicBurstResolved | None = None
    """What it sees; None: nothing."""
    unconfirmed: bool = False
    """Something else may have been sent: what the public sees is not known, and is sent again."""

    def event(self, view: View) -> PublicBurstResolved | None:
        """What the public is to see."""
        seen = view(self.burst)
        return seen and seen.model_copy(update={"public_id": self.public_id})


def changed(
    entry: Entry | None,
    burst: BurstResolved,
    partition: int,
    logged_at: float,
    view: View,
    draw_id: Callable[[], str],
    draw_due: Callable[[str, float], float],
) -> Entry | None:
    """The state after one verdict that was logged at `logged_at`; the same object where nothing changes.

    `draw_due`: draws the due time by the period of the event and the time of the log. It and `draw_id` are called only
    where the result is used. Returns None for a burst that the public never sees anything of.
    """
    if entry is not None and burst.revision <= entry.burst.revision:
        return entry
    if burst.status is BurstStatus.PROVISIONAL and burst.review is None and entry is not None:
        # A final verdict follows; until then the earlier one is the better one.
        return entry
    seen = view(burst)
    if entry is None:
        if seen is None:
            return None
        return Entry(draw_id(), partition, stripped(burst), draw_due(seen.period, logged_at))
    after = replace(entry, burst=stripped(burst), partition=partition)
    wanted = after.event(view)
    if wanted is None:
        return replace(after, due=None if is_seen(entry, None) else logged_at)
    if is_seen(entry, wanted):
        return replace(after, due=None)
    if entry.due is not None:
        return after
    return replace(after, due=draw_due(wanted.period, logged_at))


def earliest_due(period: str, logged_at: float) -> float:
    """The time from which an event's random delay counts, in seconds since 1970.

    It is the same for all bursts of a day or week that were uploaded soon: counted from each verdict, the order of
    publication would still show something of the order of the verdicts. It is a day after the end of the period, which
    is the end everywhere on the Earth, or else the end of the day (UTC) of the verdict.
    """
    if "W" in period:
        end = datetime.strptime(f"{period}-1", "%G-W%V-%u").replace(tzinfo=UTC) + timedelta(weeks=1)
    else:
        end = datetime.fromisoformat(period).replace(tzinfo=UTC) + timedelta(days=1)
    return max(end.timestamp() + _DAY_S, (logged_at // _DAY_S + 1) * _DAY_S)


def is_due(entry: Entry, now: float) -> bool:
    """Whether the public may see it now."""
    return entry.due is not None and entry.due <= now


def is_seen(entry: Entry, event: PublicBurstResolved | None) -> bool:
    """Whether the public sees this event, or nothing (None), for certain."""
    return entry.published == event and not entry.unconfirmed


def announced(entry: Entry) -> Entry:
    """The state before an event or a withdrawal is sent."""
    return replace(entry, unconfirmed=True)


def published(entry: Entry, event: PublicBurstResolved | None) -> Entry:
    """The state after an event was published, or after its withdrawal (None), unless a later verdict is pending."""
    return replace(entry, published=event, due=None, unconfirmed=False)


def stripped(burst: BurstResolved) -> BurstResolved:
    """A verdict without its photographs: what the public's view of it depends on."""
    return burst.model_copy(
        update={
            "frames": (),
            "frames_left_out": None,
            "best_crop": None,
            "models": (),
            "changes": (),
            "flags": (),
            "supersedes": (),
            "taxa": tuple(one for one in burst.taxa if one.certain),
        }
    )
