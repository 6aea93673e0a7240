"""How every event is written and read."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError, WithJsonSchema
from typing_extensions import TypeAliasType

from uncia.errors import PermanentError

UtcTime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A moment; given with any offset, kept and written as UTC."""


LocalTime = TypeAliasType(
    "LocalTime",
    Annotated[
        datetime,
        AfterValidator(lambda moment: moment.replace(tzinfo=None) if moment.tzinfo else moment),
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
"""What a camera's clock showed: naive. The JSON Schema format `date-time` would demand an offset."""


class WireModel(BaseModel):
    """A value inside an event. Unknown fields are ignored, so that readers survive additions."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64")


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
            body: Any = json.loads(raw or b"")
        except (ValueError, RecursionError) as error:
            raise PermanentError("schema-invalid", f"not JSON: {error}") from error
        if not isinstance(body, dict):
            raise PermanentError("schema-invalid", f"a JSON object was expected, not {type(body).__name__}")
        name = body.pop("event", None)
        if name != cls.topic:
            raise PermanentError("schema-unknown", f"this is {name!r}; this reader understands {cls.topic!r}")
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PermanentError("schema-invalid", f"{cls.topic}: {where}: {first['msg']}") from error
