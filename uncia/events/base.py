"""Base classes and field types of all events, with their JSON encoding and decoding."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    WithJsonSchema,
)
from typing_extensions import TypeAliasType

from uncia.errors import PermanentError

_YEARS = (2, 9998)
"""First and last year that is accepted. One year less than Python's calendar at either end, so that adding a UTC
offset, a gap or a deadline cannot overflow."""


def _computable(moment: datetime) -> datetime:
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise ValueError(f"the year {moment.year} is outside the range {_YEARS[0]} to {_YEARS[1]}")
    return moment


def _clamp_to_calendar(moment: datetime) -> datetime:
    """The time with its year limited to `_YEARS`: a camera's clock can show any year."""
    if _YEARS[0] <= moment.year <= _YEARS[1]:
        return moment
    return moment.replace(year=min(max(moment.year, _YEARS[0]), _YEARS[1]))


Moment = Annotated[AwareDatetime, AfterValidator(_computable)]
"""A time with a UTC offset, which is kept as written."""

UtcTime = Annotated[AwareDatetime, AfterValidator(_computable), AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A time with any UTC offset, converted to UTC."""

Name = Annotated[str, Field(max_length=1024)]
"""An id, a key or a name of at most 1,024 characters, because S3 keys have at most 1,024 bytes."""

T = TypeVar("T")
BoundedTuple = Annotated[tuple[T, ...], FailFast(), Field(max_length=2000)]
"""A list in an event. The limit exceeds every list that Uncia writes. Validation stops at the first invalid element:
reporting all of 2,000 takes seconds."""

FreeText = Annotated[str, AfterValidator(lambda text: text if len(text) <= 1000 else text[:999] + "…")]
"""Text for people, truncated to 1,000 characters, so that it cannot make a message larger than its topic allows."""


LocalTime = TypeAliasType(
    "LocalTime",
    Annotated[
        datetime,
        AfterValidator(lambda moment: _clamp_to_calendar(moment.replace(tzinfo=None) if moment.tzinfo else moment)),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$",
                "description": "Date and time by the camera's clock, ISO 8601 without a UTC offset; not in the format "
                "`date-time`, which requires one.",
                "examples": ["2026-05-14T21:36:00", "2026-05-14T21:36:00.250000"],
            }
        ),
    ],
)
"""A time by a camera's clock: naive, with its year limited to `_YEARS`. The JSON Schema format `date-time` would
require a UTC offset."""


class WireModel(BaseModel):
    """A value inside an event. Unknown fields are ignored, so that new fields do not break older readers."""

    # JSON has no NaN or infinity, and both would spread through every later computation.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64", allow_inf_nan=False)


class Event(WireModel):
    """Base class of all events.

    `topic` is the name of the topic, including the major version. It is written to the field `event`, so that a reader
    rejects a message of another topic or of a newer major version instead of misinterpreting it.
    """

    topic: ClassVar[str]

    def to_bytes(self) -> bytes:
        """Encode the event as JSON in UTF-8, without fields that are None."""
        body = {"event": self.topic, **self.model_dump(mode="json", exclude_none=True)}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, raw: bytes | None) -> Self:
        """Decode a message. Raises `PermanentError` with the reason `schema-invalid` or `schema-unknown`."""
        try:
            body: Any = json.loads(raw or b"", parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise PermanentError("schema-invalid", f"not JSON: {error}") from error
        if not isinstance(body, dict):
            raise PermanentError("schema-invalid", f"expected a JSON object, not {type(body).__name__}")
        name = body.pop("event", None)
        if name != cls.topic:
            shown = repr(name)[:100] if isinstance(name, str) else type(name).__name__
            raise PermanentError("schema-unknown", f"the event is {shown}; this reader expects {cls.topic!r}")
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PermanentError("schema-invalid", f"{cls.topic}: {where}: {first['msg']}") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")
