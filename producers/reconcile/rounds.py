"""One comparison of the bucket with the topics: page by page, in flat memory, going on where it was stopped."""

import json
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from uncia.producers.reconcile.compare import NAMED, Patience, State, is_due_again, judge
from uncia.producers.reconcile.ledger import Ledger, Move
from uncia.producers.reconcile.upload_facts import object_keys
from uncia.storage.object_store import StoredObject

PAGE = 1000
_HELD = 5000
"""So many objects may wait for one more look at the topics before they are named and announced."""

_STALE_S = 24 * 3600
"""A comparison that was stopped so long ago is begun anew."""

Tell = Callable[[State, str], None]


@dataclass(frozen=True)
class Asked:
    """Which objects: keys that begin so, stored from `since` and before `until` by the store's clock."""

    prefix: str = ""
    since: datetime | None = None
    until: datetime | None = None
    again: bool = False
    """Announce again what is unanswered."""

    @property
    def listed_prefix(self) -> str:
        """What the store is asked to list. Keys of one folder may be spelt in several Unicode forms, which begin alike
        only as far as their letters are ASCII; `takes` picks among them."""
        spelling = unicodedata.normalize("NFC", self.prefix)
        return spelling[: next((at for at, letter in enumerate(spelling) if not letter.isascii()), len(spelling))]

    def covers(self, key: str) -> bool:
        """True for a key that begins with the prefix, in whichever Unicode form either is spelt."""
        return unicodedata.normalize("NFC", key).startswith(unicodedata.normalize("NFC", self.prefix))

    def takes(self, stored: StoredObject) -> bool:
        """True for a photograph that is asked for."""
        return (
            not stored.key.endswith("/")
            and self.covers(stored.key)
            and (self.since is None or stored.modified >= self.since)
            and (self.until is None or stored.modified < self.until)
        )

    def digest(self) -> str:
        """Tells whether a stopped comparison was about the same."""
        return json.dumps({name: str(value) for name, value in asdict(self).items()})


@dataclass
class Progress:
    """How far a comparison has come, and what it has counted."""

    began: float
    after: str = ""
    """The last key that was dealt with."""
    counts: Counter[str] = field(default_factory=Counter)

    def to_json(self, asked: Asked) -> str:
        """As the ledger keeps it."""
        return json.dumps({"asked": asked.digest(), "began": self.began, "after": self.after, "counts": self.counts})

    @classmethod
    def from_json(cls, text: str | None, asked: Asked, now: float) -> "Progress":
        """The kept one if it is about the same and not stale; else a new one."""
        kept: dict[str, Any] = json.loads(text) if text else {}
        if kept.get("asked") != asked.digest() or not 0 <= now - kept["began"] < _STALE_S:
            return cls(now)
        return cls(kept["began"], kept["after"], Counter(kept["counts"]))

    def count(self, state: State) -> int:
        """So many objects were found so."""
        return self.counts[state.value]

    @property
    def is_zero(self) -> bool:
        """Nothing is missing."""
        return not any(self.count(state) for state in NAMED)


@dataclass(frozen=True)
class Comparison:
    """Compares a listing with the ledger. What it needs of the outside is handed in; knows no Kafka and no S3."""

    ledger: Ledger
    bucket: str
    catch_up: Callable[[], None]
    """Bring the ledger up to date with the topics."""
    list_after: Callable[[str, str], Iterator[StoredObject]]
    """Objects under a prefix, behind a key."""
    announce: Callable[[list[StoredObject]], None]
    announce_moves: Callable[[list[Move]], None]
    etag_at: Callable[[str], str | None]
    """ETag of what stands under a key; None for nothing."""
    fresh_s: float
    unanswered_after_s: float
    again_after_s: float
    clock: Callable[[], float] = time.time

    def run(self, asked: Asked, name: str, tell: Tell, on_page: Callable[[], None] = lambda: None) -> Progress:
        """Compare everything that is asked for. `name` keeps a place of its own in the ledger.

        Stopped at any point, the next run of the same name goes on behind the last key that was dealt with.
        """
        self.catch_up()
        on_page()
        progress = Progress.from_json(self.ledger.round_state(name), asked, self.clock())
        self.ledger.begin_listing()
        listing = self.list_after(asked.listed_prefix, progress.after)
        held: list[StoredObject] = []
        while page := list(islice(listing, PAGE)):
            self.ledger.note_listed([object_keys(self.bucket, one.key, one.etag)[0] for one in page])
            for stored, state in self._judged([one for one in page if asked.takes(one)]):
                if state in (*NAMED, State.RETRIED):
                    held.append(stored)
                else:
                    progress.counts[state.value] += 1
            progress.after = page[-1].key
            if len(held) >= _HELD:
                self._settle(held, asked, progress, tell)
                held = []
            if not held:
                self.ledger.keep_round(name, progress.to_json(asked))
            on_page()
        self._settle(held, asked, progress, tell)
        self._settle_moves(asked, progress, tell)
        self.ledger.keep_round(name, None)
        return progress

    def _judged(self, objects: list[StoredObject]) -> list[tuple[StoredObject, State]]:
        keys = [object_keys(self.bucket, one.key, one.etag) for one in objects]
        known = self.ledger.known([upload for upload, _ in keys])
        refused = self.ledger.refused([key for pair in keys for key in pair])
        patience = Patience(self.clock(), self.fresh_s, self.unanswered_after_s, self.again_after_s)

        def refused_at(pair: tuple[bytes, bytes]) -> float | None:
            return max((refused[key] for key in pair if key in refused), default=None)

        def state(stored: StoredObject, pair: tuple[bytes, bytes]) -> State:
            modified = stored.modified.timestamp()
            found = judge(known.get(pair[0]), refused_at(pair), modified, patience)
            # By its upload it was refused because it could not be read; by its path, because of its name.
            unreadable = found is State.REFUSED and refused.get(pair[0], 0.0) >= refused.get(pair[1], 0.0)
            return State.RETRIED if unreadable and is_due_again(refused[pair[0]], modified, patience.now) else found

        return [(stored, state(stored, pair)) for stored, pair in zip(objects, keys, strict=True)]

    def _settle(self, held: list[StoredObject], asked: Asked, progress: Progress, tell: Tell) -> None:
        """Look once more, with all that the topics have said meanwhile; then name, claim and announce."""
        if not held:
            return
        self.catch_up()
        judged = self._judged(held)
        wanted = {State.MISSED, State.RETRIED} | ({State.UNANSWERED} if asked.again else set())
        ids = {one.key: object_keys(self.bucket, one.key, one.etag)[0] for one, state in judged if state in wanted}
        ours = self.ledger.claim(ids.values(), self.clock(), self.again_after_s)
        going = [one for one, _ in judged if one.key in ids and ids[one.key] in ours]
        if going:
            self.announce(going)
        for stored, state in judged:
            if state is State.MISSED and ids[stored.key] not in ours:
                state = State.WAITING  # another comparison beside this one was first
            progress.counts[state.value] += 1
            if state in NAMED:
                tell(state, stored.key)

    def _settle_moves(self, asked: Asked, progress: Progress, tell: Tell) -> None:
        """Name and announce uploads whose objects were moved to another camera.

        An object that is only gone, because it was old or showed a person, keeps its history: a move needs the same
        bytes under another camera, where they were judged.
        """
        moves = [move for move in self.ledger.moves() if asked.covers(move.place.key)]
        moves = [move for move in moves if self._is_moved(move)]
        ours = self.ledger.claim([move.id for move in moves], self.clock(), self.again_after_s)
        if going := [move for move in moves if move.id in ours]:
            self.announce_moves(going)
        for move in going:
            progress.counts[State.MOVED.value] += 1
            tell(State.MOVED, move.place.key)

    def _is_moved(self, move: Move) -> bool:
        """The listing is older than this moment, and may have covered a part of the bucket only."""
        return self.etag_at(move.place.key) is None and self.etag_at(move.heir) == move.heir_etag
