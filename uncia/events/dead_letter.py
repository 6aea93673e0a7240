"""What could not be processed, ever. The topic carries the original bytes; the headers say why."""

from dataclasses import dataclass

from uncia.errors import PermanentError

_PREFIX = "__connect.errors."


@dataclass(frozen=True)
class DeadLetter:
    """The headers of a dead letter, named as Kafka Connect names them. Value and key are the original's."""

    topic: str
    partition: int
    offset: int
    stage: str
    reason: str
    message: str

    @classmethod
    def of(cls, error: PermanentError, *, topic: str, partition: int, offset: int, stage: str) -> "DeadLetter":
        """Describe a message that failed for good."""
        return cls(topic, partition, offset, stage, error.reason, str(error))

    def headers(self) -> list[tuple[str, bytes]]:
        """As they are sent, beside the original's own headers."""
        named = {
            "topic": self.topic,
            "partition": str(self.partition),
            "offset": str(self.offset),
            "stage": self.stage,
            "exception.class.name": self.reason,
            "exception.message": self.message[:1000],
        }
        return [(_PREFIX + name, value.encode()) for name, value in named.items()]

    @classmethod
    def from_headers(cls, headers: list[tuple[str, bytes]]) -> "DeadLetter":
        """Read them back; what is absent is empty."""
        found = {name.removeprefix(_PREFIX): value.decode(errors="replace") for name, value in headers}
        return cls(
            topic=found.get("topic", ""),
            partition=int(found.get("partition", -1)),
            offset=int(found.get("offset", -1)),
            stage=found.get("stage", ""),
            reason=found.get("exception.class.name", ""),
            message=found.get("exception.message", ""),
        )
