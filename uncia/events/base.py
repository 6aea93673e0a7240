"""How every event is written and read."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError

from uncia.errors import PermanentError


def _as_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a moment before the year 1 or after 9999 in UTC") from error


UtcTime = Annotated[AwareDatetime, AfterValidator(_as_utc)]
"""A moment; given with any offset, kept and written as UTC."""


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
