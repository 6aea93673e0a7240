"""Which camera body took a frame, and whether that body writes seconds: functions of the sources found so far.

A **source** is what a frame's metadata say of its camera: serial number, make and model, each of which may be missing.
Sources are merged into **bodies**:

1. A serial number identifies a body, whatever make and model come with it.
2. A source without serial number belongs to a body whose make and model do not contradict it; a missing field
   contradicts nothing. Where none fits, its make and model form a body of their own.
3. An empty source (an unreadable photograph) belongs to the main body: the one with the earliest capture time.

Case, padding and punctuation of make and model are ignored. Two bodies whose capture times overlap alternate under one
camera id; one that only follows the other replaced it.

A body **writes no seconds** when every capture time from its EXIF ends in :00 and either two of its photographs share
one time, or its maker is known to build such cameras. A single photograph with other seconds disproves it. Full
minutes alone are not enough: a time-lapse camera without maker notes fires at full minutes too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

MINUTE_MAKES = ("cuddeback",)
"""Makers, in lower case, many of whose cameras write capture times to the minute."""

MAX_SOURCES = 16
"""Sources stored of one camera id; frames of any further source share one track."""

_SEPARATOR = "\x1f"
_NOISE = re.compile(r"[\W_]+")


@dataclass
class CameraSource:
    """What is stored of one source: the capture times that it spans, and how it writes them. Field names are stored."""

    first: datetime
    last: datetime
    seconds: bool = False
    """Whether an EXIF time of it does not end in :00."""
    twins: bool = False
    """Whether two of its photographs have the same capture time, which ends in :00."""


@dataclass(frozen=True)
class CameraBodies:
    """The bodies that the sources of one camera id add up to."""

    body_of: Mapping[str, str] = field(default_factory=dict)
    """From a source to the name of its body; "" where no body is known."""
    main: str = ""
    """The body with the earliest capture time; frames with an empty source belong to it."""
    without_seconds: frozenset[str] = frozenset()
    """Names of bodies that write no seconds."""
    alternating: bool = False
    """Whether two bodies overlap in time."""


@lru_cache(maxsize=4096)
def source_of(serial: str | None, make: str | None, model: str | None) -> str:
    """The source of a frame as one string, equal for variants of case, padding and punctuation."""
    number = (serial or "").strip(" \0")
    number = number if number.strip("0-_ ") else ""
    brand, product = _normalise(make), _normalise(model)
    if brand and product.startswith(brand) and product != brand:
        product = product.removeprefix(brand)
    return _SEPARATOR.join((number, brand, product))


def _normalise(text: str | None) -> str:
    return _NOISE.sub("", (text or "").casefold())


def source_of_serial(serial: str) -> str:
    """The source string of a camera of which only the serial number is known."""
    return _SEPARATOR.join((serial, "", ""))


@lru_cache(maxsize=4096)
def compatible(one: str, other: str) -> bool:
    """Whether both sources may be one body: no field that both have differs."""
    a, b = one.split(_SEPARATOR), other.split(_SEPARATOR)
    if a[0] and b[0]:
        return a[0] == b[0]
    return _agree(a[1:], b[1:])


def _agree(one: list[str], other: list[str]) -> bool:
    return all(not a or not b or a == b for a, b in zip(one, other, strict=True))


@dataclass
class _Body:
    name: str
    models: list[list[str]]
    """Make and model of each of its sources."""
    first: datetime
    last: datetime
    founders: set[str]

    def admits(self, wanted: list[str]) -> bool:
        known = [model for model in self.models if any(model)]
        return not known or any(_agree(model, wanted) for model in known)


def merge_sources(sources: Mapping[str, CameraSource]) -> CameraBodies:
    """Merge sources into bodies; the order of the mapping does not matter."""
    split = {name: name.split(_SEPARATOR) for name in sources}
    found: dict[str, _Body] = {}
    body_of: dict[str, str] = {}
    # Serial numbers first, then sources with more fields before those with fewer.
    ranked = sorted(
        (name for name in sources if any(split[name])),
        key=lambda name: (not split[name][0], -sum(map(bool, split[name])), sources[name].first, name),
    )
    for name in ranked:
        serial, *model = split[name]
        body = found.get(serial) if serial else _find_fitting(found, model)
        span = sources[name]
        if body is None:
            title = serial or " ".join(filter(None, model))
            body = found[title] = _Body(title, [], span.first, span.last, set())
            body.founders.add(name)
        elif serial:
            # A source without serial number does not extend the body's time span: it may belong to another body.
            body.first, body.last = min(body.first, span.first), max(body.last, span.last)
        if serial or name in body.founders:
            body.models.append(model)
        body_of[name] = body.name
    main = min(found.values(), key=lambda body: (body.first, body.name)).name if found else ""
    for name in sources:
        body_of.setdefault(name, main)
    spans = sorted((body.first, body.last) for body in found.values())
    return CameraBodies(
        body_of,
        main,
        frozenset(_without_seconds(sources, split, body_of)),
        any(later[0] < earlier[1] for earlier, later in pairwise(spans)),
    )


def _find_fitting(found: Mapping[str, _Body], model: list[str]) -> _Body | None:
    fitting = [body for body in found.values() if body.admits(model)]
    return min(fitting, key=lambda body: (body.first, body.name), default=None)


def _without_seconds(
    sources: Mapping[str, CameraSource], split: Mapping[str, list[str]], body_of: Mapping[str, str]
) -> set[str]:
    suspected, cleared = set(), set()
    for name, source in sources.items():
        if source.twins or split[name][1].startswith(MINUTE_MAKES):
            suspected.add(body_of[name])
        if source.seconds:
            cleared.add(body_of[name])
    return suspected - cleared
