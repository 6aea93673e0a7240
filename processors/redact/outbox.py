"""What happens to the public event of one burst: drawn once, stored, published when it is due, corrected. Pure.

1. The public id and the due time are drawn by chance and stored before anything is published. A crash before they are
   stored draws others, which is no harm: nothing with the earlier ones has left the worker.
2. Nothing is published before it is due. What changes until then changes what is published, not the due time.
3. What changes afterwards is published under the same id, after another random delay, so that the time of a correction
   does not show when a person worked on which burst. A withdrawal alone does not wait: it can be a secret. What
   follows it waits for a delay of its own, which is drawn when the withdrawal has left.
4. An event is stored before it is sent (`begun`): after a crash it counts as seen, whatever the clock says then.
5. What is published is computed when it is published, from the deployments and the levels of then: a place that was
   made more secret meanwhile is published accordingly.
6. A burst whose key was removed (a tombstone) is withdrawn, and then its state is removed with its id. If the same
   photographs are uploaded again, their burst counts its revisions from one, and is another burst to the public.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from uncia.camtrap.hidden_people import evidence_of
from uncia.events import BurstResolved, BurstStatus, PublicBurstResolved

__all__ = ["DrawDue", "Entry", "View", "begun", "changed", "earliest_due", "ended", "is_due", "published", "stripped"]

_DAY_S = 86_400

View = Callable[[BurstResolved], PublicBurstResolved | None]
"""What the public sees of a verdict now, without an id."""

DrawDue = Callable[[str, float], float]
"""Draws a due time by the period of an event and the time (seconds since 1970) from which it waits."""


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
    withdrawal: bool = False
    """What is due is the withdrawal of what it sees, whatever the verdict is by then."""
    ended: bool = False
    """The burst was removed: this state goes when the withdrawal has left."""
    begun: PublicBurstResolved | None = None
    """Stored before it is sent: it may have left, whatever the clock says after a crash."""
    renewed: bool = False
    """The burst was removed and is back: what follows the withdrawal has another id."""

    def event(self, view: View) -> PublicBurstResolved | None:
        """What the public is to see."""
        seen = view(self.burst)
        return seen and seen.model_copy(update={"public_id": self.public_id})

    def due_event(self, view: View) -> PublicBurstResolved | None:
        """What is to be published when it is due; None: the withdrawal, or nothing."""
        return None if self.withdrawal else self.event(view)

    @property
    def may_be_public(self) -> bool:
        """Whether the public may see something of it: an event may have left although that was not stored."""
        return self.withdrawal or self.published is not None or self.begun is not None


def changed(
    entry: Entry | None,
    burst: BurstResolved,
    partition: int,
    logged_at: float,
    view: View,
    draw_id: Callable[[], str],
    draw_due: DrawDue,
) -> Entry | None:
    """The state after one verdict that was logged at `logged_at`; the same object if nothing changes.

    `draw_id` and `draw_due` are called only where the result is used. Returns None for a burst that the public never
    sees anything of.
    """
    if entry is not None and not entry.ended:
        if burst.revision <= entry.burst.revision:
            return entry
        if burst.status is BurstStatus.PROVISIONAL and burst.review is None:
            # A final verdict follows; until then the earlier one is the better one.
            return entry
    seen = view(burst)
    if entry is None:
        if seen is None:
            return None
        return Entry(draw_id(), partition, stripped(burst), draw_due(seen.period, logged_at))
    after = replace(entry, burst=stripped(burst), partition=partition, ended=False)
    wanted = after.event(view)
    if entry.withdrawal:
        return replace(after, renewed=entry.renewed or entry.ended)
    if wanted is None:
        return _withdrawn(after, logged_at) if entry.may_be_public else replace(after, due=None)
    if entry.begun is not None:
        # It may have left although that was not stored: what differs from it is a correction.
        if entry.begun == wanted:
            return after
        after = replace(after, published=entry.begun, begun=None, due=None)
    if wanted == after.published:
        return replace(after, due=None)
    if after.due is not None:
        return after
    return replace(after, due=draw_due(wanted.period, logged_at))


def ended(entry: Entry | None, logged_at: float) -> Entry | None:
    """The state after a tombstone that was logged at `logged_at`; None: it is removed."""
    if entry is None or entry.ended:
        return entry
    return replace(_withdrawn(entry, logged_at), ended=True, renewed=False) if entry.may_be_public else None


def _withdrawn(entry: Entry, logged_at: float) -> Entry:
    return replace(entry, due=logged_at, withdrawal=True, begun=None)


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


def begun(entry: Entry, event: PublicBurstResolved | None) -> Entry:
    """The state to store before `event` is sent; the same object for a withdrawal, and for what left before."""
    if entry.withdrawal or event is None or event in (entry.published, entry.begun):
        return entry
    return replace(entry, begun=event)


def published(
    entry: Entry,
    event: PublicBurstResolved | None,
    now: float,
    view: View,
    draw_id: Callable[[], str],
    draw_due: DrawDue,
) -> Entry | None:
    """The state after an event was published, or a withdrawal (None); None: it is removed.

    A verdict that arrived after the one that was withdrawn is published after another delay.
    """
    if entry.ended:
        return None
    after = replace(entry, published=event, due=None, withdrawal=False, begun=None, renewed=False)
    if entry.renewed:
        after = replace(after, public_id=draw_id())
    wanted = after.event(view) if entry.withdrawal else None
    return after if wanted is None else replace(after, due=draw_due(wanted.period, now))


def stripped(burst: BurstResolved) -> BurstResolved:
    """A verdict without its photographs: what the public's view of it depends on."""
    return burst.model_copy(
        update={
            "frames": (),
            "frames_left_out": None,
            # The frames may be all that says that there is a person.
            "crops_withheld": True if evidence_of(burst).says_person else burst.crops_withheld,
            "best_crop": None,
            "models": (),
            "changes": (),
            "flags": (),
            "supersedes": (),
            "taxa": tuple(one for one in burst.taxa if one.certain),
        }
    )
