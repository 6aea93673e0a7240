"""Events of any content, as Hypothesis strategies made from the wire models."""

import types
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin

import annotated_types
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel
from typing_extensions import TypeAliasType

from uncia.events.base import LocalTime

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OFFSETS = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9998, 12, 30), timezones=OFFSETS | st.just(UTC))
CAMERA_TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))


def events_of(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Instances of a model; a field that may be left out is now and then."""
    fields = {name: _values(info.annotation, info.metadata) for name, info in model.model_fields.items()}
    needed = {name for name, info in model.model_fields.items() if info.is_required()}
    return st.fixed_dictionaries(
        {name: values for name, values in fields.items() if name in needed},
        optional={name: values for name, values in fields.items() if name not in needed},
    ).map(lambda content: _made(model, content))


def _made(model: type[BaseModel], content: dict[str, Any]) -> BaseModel:
    if {"start", "end"} <= set(content) and content["end"] is not None and content["end"] <= content["start"]:
        content = {**content, "end": None}
    return model.model_validate(content)


def _values(annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    if annotation is LocalTime:
        return CAMERA_TIMES | MOMENTS  # one with an offset is taken as what the clock showed
    if isinstance(annotation, TypeAliasType):
        return _values(annotation.__value__, metadata)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        # A `Field(le=...)` within an annotation holds the limits that pydantic takes out of it elsewhere.
        limits = [item for own in arguments[1:] for item in getattr(own, "metadata", [own])]
        return _values(arguments[0], [*limits, *metadata])
    if origin in (Union, types.UnionType):
        return st.one_of(*(_values(item, metadata) for item in arguments))
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return st.lists(_values(arguments[0], []), max_size=3).map(tuple)
        return st.tuples(*(_values(item, []) for item in arguments))
    if annotation in (None, type(None)):
        return st.none()
    if annotation in (datetime, AwareDatetime):
        return MOMENTS
    if issubclass(annotation, BaseModel):
        return events_of(annotation)
    if issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    if annotation is str:
        if patterns := [item.pattern for item in metadata if getattr(item, "pattern", None)]:
            return st.from_regex(patterns[0], fullmatch=True)
        shortest = max([item.min_length for item in metadata if isinstance(item, annotated_types.MinLen)], default=0)
        return TEXTS.filter(lambda text: len(text) >= shortest)
    return _numbers(annotation, metadata)


def _numbers(kind: type, metadata: list[Any]) -> st.SearchStrategy[Any]:
    if kind is bool:
        return st.booleans()

    def limits(constraint: type, name: str) -> list[float]:
        return [getattr(item, name) for item in metadata if isinstance(item, constraint)]

    least = max(limits(annotated_types.Ge, "ge"), default=-(10**9))
    above = limits(annotated_types.Gt, "gt")
    most = min(limits(annotated_types.Le, "le"), default=10**9)
    if kind is int:
        return st.integers(int(max([least, *(limit + 1 for limit in above)])), int(most))
    return st.floats(max([least, *above]), most, allow_nan=False, exclude_min=bool(above))
