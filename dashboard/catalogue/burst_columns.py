"""What counts need of every burst, as arrays in memory: about 54 bytes for each burst.

Whatever is not a number or a time (camera, category, taxon, status, reviewer, flags …) takes few combinations of values
(some hundred for each camera). Each combination is stored once, as a kind, and a burst holds the number of its kind.
A filter is then evaluated for some ten thousand kinds, and bursts are counted by kind.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["READ_COLUMNS", "BurstColumns", "moment_of"]

READ_COLUMNS = (
    "burst_id",
    "started_at",
    "minute",
    "confidence",
    "gap_s",
    "camera",
    "category",
    "taxon",
    "label",
    "subject",
    "status",
    "reviewed",
    "reviewer",
    "focus",
    "model_taxon",
    "model_category",
)
"""The columns of the table `bursts` that `BurstColumns.put` takes, in this order."""

_NAMED = ("camera", "category", "taxon", "label", "subject", "status", "reviewer", "verdict", "model_verdict")
"""Columns of kinds that hold numbers of names."""

_FEWEST = 1024
_MOST_RECENT = 50_000
"""Bursts that came or moved since the index was sorted."""

_EPOCH = datetime(1970, 1, 1)
_NO_FLAGS: frozenset[str] = frozenset()

Flags = Mapping[str, frozenset[str]]
"""The flags and marks of the bursts that have any."""


def moment_of(microseconds: int) -> datetime:
    """A time of the column `started_at`, by the camera's clock."""
    return _EPOCH + timedelta(microseconds=microseconds)


class _Vector:
    """An array that grows at its end."""

    def __init__(self, kind: Any) -> None:
        self._data: NDArray[Any] = np.empty(_FEWEST, dtype=kind)
        self._size = 0

    @property
    def values(self) -> NDArray[Any]:
        """The values; writing to them changes the vector."""
        return self._data[: self._size]

    def extend(self, values: Sequence[Any] | NDArray[Any]) -> None:
        end = self._size + len(values)
        if end > len(self._data):
            larger = np.empty(max(end, len(self._data) * 3 // 2), dtype=self._data.dtype)
            larger[: self._size] = self.values
            self._data = larger
        self._data[self._size : end] = values
        self._size = end

    def shorten(self) -> None:
        """Remove the last value."""
        self._size -= 1


class BurstColumns:
    """Columns of bursts and of kinds. Not thread-safe: `ColumnCache` holds a lock while they are used.

    Bursts are told apart by a hash of 64 bits: two of a million have the same with a probability of 3e-8, and are then
    counted as one.
    """

    def __init__(self) -> None:
        self._names: dict[str | None, int] = {None: 0}
        self.names: list[str | None] = [None]
        """By number: cameras, taxa, labels, categories … together; number 0 is NULL."""
        self._flag_sets: dict[frozenset[str], int] = {_NO_FLAGS: 0}
        self.flag_sets: list[frozenset[str]] = [_NO_FLAGS]
        self._day_numbers: dict[int, int] = {}
        self._kind_numbers: dict[tuple[Any, ...], int] = {}
        self._day_ordinals = _Vector(np.int64)
        self._kinds = {name: _Vector(np.int32) for name in (*_NAMED, "flags")}
        self._kinds |= {name: _Vector(np.bool_) for name in ("reviewed", "focus")}
        self._rows = {
            "kind": _Vector(np.int32),
            "day": _Vector(np.int32),
            "minute": _Vector(np.int16),
            "started_at": _Vector(np.int64),
            "confidence": _Vector(np.float64),
            "gap_s": _Vector(np.float64),
            "key": _Vector(np.int64),
        }
        self._sorted_keys: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._sorted_places: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self._recent: dict[int, int] = {}
        """Place by key, of bursts that the sorted arrays do not know; -1: removed."""

    def __len__(self) -> int:
        return len(self._rows["kind"].values)

    @property
    def kinds(self) -> int:
        """Number of kinds; some may have no burst any more."""
        return len(self._kind_numbers)

    @property
    def day_ordinals(self) -> NDArray[np.int64]:
        """The days of the column `day`, as `date.toordinal` numbers them."""
        return self._day_ordinals.values

    def row(self, name: str) -> NDArray[Any]:
        """A column of bursts: `kind`, `day`, `minute`, `started_at` (µs), `confidence` or `gap_s` (NaN: NULL)."""
        return self._rows[name].values

    def kind(self, name: str) -> NDArray[Any]:
        """A column of kinds: numbers of names, `flags` (number of a set), or `reviewed` and `focus`."""
        return self._kinds[name].values

    def numbers_of(self, names: Iterable[str | None]) -> list[int]:
        """The numbers of those names that occur."""
        return [self._names[name] for name in names if name in self._names]

    def is_named(self, column: str, names: Iterable[str | None]) -> NDArray[np.bool_]:
        """By kind, whether a column holds one of these names."""
        wanted = np.zeros(len(self.names), dtype=np.bool_)
        wanted[self.numbers_of(names)] = True
        return np.asarray(wanted[self.kind(column)])

    def put(self, rows: Sequence[Sequence[Any]], flags: Flags) -> None:
        """Add bursts, or replace those of the same id. `rows` hold `READ_COLUMNS`, each id once."""
        if not rows:
            return
        ids, started, minutes, confidences, gaps, *named = zip(*rows, strict=True)
        sets = [flags.get(burst, _NO_FLAGS) for burst in ids]
        fresh: dict[str, NDArray[Any]] = {
            "kind": np.array([self._kind_number(kind) for kind in zip(*named, sets, strict=True)], dtype=np.int32),
            "day": np.array([self._day_number(moment.toordinal()) for moment in started], dtype=np.int32),
            "minute": np.array(minutes, dtype=np.int16),
            "started_at": np.array(started, dtype="datetime64[us]").astype(np.int64),
            # NumPy makes NaN of None.
            "confidence": np.array(confidences, dtype=np.float64),
            "gap_s": np.array(gaps, dtype=np.float64),
            "key": np.array([hash(burst) for burst in ids], dtype=np.int64),
        }
        places = self._places(fresh["key"])
        new = places < 0
        for name, values in fresh.items():
            self._rows[name].values[places[~new]] = values[~new]
        first = len(self)
        for name, values in fresh.items():
            self._rows[name].extend(values[new])
        self._recent.update(zip(fresh["key"][new].tolist(), range(first, len(self)), strict=True))
        self._sort_if_due()

    def remove(self, ids: Iterable[str]) -> None:
        """Remove bursts; ids that are unknown are ignored."""
        for burst in ids:
            key = hash(burst)
            place = int(self._places(np.array([key], dtype=np.int64))[0])
            if place < 0:
                continue
            # The last burst takes the place.
            last = int(self._rows["key"].values[-1])
            for column in self._rows.values():
                column.values[place] = column.values[-1]
                column.shorten()
            self._recent[last] = place
            self._recent[key] = -1
        self._sort_if_due()

    def _places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where bursts are; -1: unknown."""
        found = np.full(len(keys), -1, dtype=np.int64)
        if len(self._sorted_keys):
            at = np.minimum(np.searchsorted(self._sorted_keys, keys), len(self._sorted_keys) - 1)
            known = self._sorted_keys[at] == keys
            found[known] = self._sorted_places[at[known]]
        if self._recent:
            for number, key in enumerate(keys.tolist()):
                found[number] = self._recent.get(key, found[number])
        return found

    def _sort_if_due(self) -> None:
        if len(self._recent) > _MOST_RECENT:
            keys = self._rows["key"].values
            order = np.argsort(keys)
            self._sorted_keys, self._sorted_places = keys[order], order.astype(np.int32)
            self._recent = {}

    def _day_number(self, ordinal: int) -> int:
        number = self._day_numbers.get(ordinal)
        if number is None:
            number = self._day_numbers[ordinal] = len(self._day_numbers)
            self._day_ordinals.extend([ordinal])
        return number

    def _kind_number(self, kind: tuple[Any, ...]) -> int:
        number = self._kind_numbers.get(kind)
        if number is None:
            number = self._kind_numbers[kind] = len(self._kind_numbers)
            self._add_kind(*kind)
        return number

    def _add_kind(
        self,
        camera: str,
        category: str | None,
        taxon: str | None,
        label: str | None,
        subject: str | None,
        status: str,
        reviewed: bool,
        reviewer: str | None,
        focus: bool,
        model_taxon: str | None,
        model_category: str | None,
        flags: frozenset[str],
    ) -> None:
        verdict, model_verdict = _verdict(taxon, category), _verdict(model_taxon, model_category)
        names = (camera, category, taxon, label, subject, status, reviewer, verdict, model_verdict)
        for column, name in zip(_NAMED, names, strict=True):
            self._kinds[column].extend([self._name_number(name)])
        self._kinds["reviewed"].extend([reviewed])
        self._kinds["focus"].extend([focus])
        if flags not in self._flag_sets:
            self._flag_sets[flags] = len(self.flag_sets)
            self.flag_sets.append(flags)
        self._kinds["flags"].extend([self._flag_sets[flags]])

    def _name_number(self, name: str | None) -> int:
        number = self._names.get(name)
        if number is None:
            number = self._names[name] = len(self.names)
            self.names.append(name)
        return number


def _verdict(taxon: str | None, category: str | None) -> str:
    """As `coalesce(taxon, category, '')`."""
    return taxon if taxon is not None else category or ""
