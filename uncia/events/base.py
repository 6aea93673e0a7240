"""How every event is written and read."""

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
"""A year less than Python's calendar has at either end: zones, gaps and deadlines can be added without overflow."""


def _computable(moment: datetime) -> datetime:
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise ValueError(f"a time of the year {moment.year}: years {_YEARS[0]} to {_YEARS[1]} are known")
    return moment


def clamp_to_calendar(moment: datetime) -> datetime:
    """The same time of the nearest year that can be computed with; cameras' clocks show any year."""
    if _YEARS[0] <= moment.year <= _YEARS[1]:
        return moment
    return moment.replace(year=min(max(moment.year, _YEARS[0]), _YEARS[1]))


Moment = Annotated[AwareDatetime, AfterValidator(_computable)]
"""A point in time that keeps its UTC offset."""

UtcTime = Annotated[AwareDatetime, AfterValidator(_computable), AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A point in time with any UTC offset, converted to UTC."""

Name = Annotated[str, Field(max_length=1024)]
"""An id, a key or a name; S3 keys have 1,024 bytes at most. Longer ones are refused."""

T = TypeVar("T")
BoundedTuple = Annotated[tuple[T, ...], FailFast(), Field(max_length=2000)]
"""Parts of an event, no more than anything writes. The first wrong one is enough: a message for each costs seconds."""

FreeText = Annotated[str, AfterValidator(lambda text: text if len(text) <= 1000 else text[:999] + "…")]
"""Text for people. Longer text is cut, so that no message outgrows its topic because of it."""


LocalTime = TypeAliasType(
    "LocalTime",
    Annotated[
        datetime,
        AfterValidator(lambda moment: clamp_to_calendar(moment.replace(tzinfo=None) if moment.tzinfo else moment)),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$",
                "description": "A date and time on the camera's own clock, as ISO 8601 without an offset: no moment in "
                "UTC, and hence no `date-time`.",
                "examples": ["2026-05-14T21:36:00", "2026-05-14T21:36:00.250000"],
            }
        ),
    ],
)
"""What a camera's clock showed: naive; of the years 1 and 9999 the one next to it. The JSON Schema format `date-time`
would demand an offset."""


class WireModel(BaseModel):
    """A value inside an event. Unknown fields are ignored, so that readers survive additions."""

    # NaN and infinity are no JSON, and nothing that computes with them ends well.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64", allow_inf_nan=False)


class Event(WireModel):
    """One message on one topic.

    `topic` names the topic and with it the major version; it travels as the field `event`, so that a message
    that strayed, or comes from a newer major version, is refused by name instead of being misread.
    """

    topic: ClassVar[str]

    def to_bytes(self) -> bytes:
        """The JSON that is sent, UTF-8, without the fields that are None."""
        body = {"event": self.topic, **self.model_dump(mode="json", exclude_none=True)}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, raw: bytes | None) -> Self:
        """Read a message. Raises `PermanentError` with reason `schema-invalid` or `schema-unknown`."""
        try:
            body: Any = json.loads(raw or b"", parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise PermanentError("schema-invalid", f"not JSON: {error}") from error
        if not isinstance(body, dict):
            raise PermanentError("schema-invalid", f"a JSON object was expected, not {type(body).__name__}")
        name = body.pop("event", None)
        if name != cls.topic:
            shown = repr(name)[:100] if isinstance(name, str) else type(name).__name__
            raise PermanentError("schema-unknown", f"this is {shown}; this reader understands {cls.topic!r}")
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PermanentError("schema-invalid", f"{cls.topic}: {where}: {first['msg']}") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
