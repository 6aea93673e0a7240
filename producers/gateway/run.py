"""What one run is asked to do, and what it did."""

from dataclasses import dataclass
from pathlib import Path

from uncia.events import Lane


@dataclass(frozen=True)
class Options:
    """What the user asked for."""

    folder: Path
    station: str
    camera: str | None = None
    copy: bool = False
    once: bool = False
    remove: bool = False
    give_up_after_s: float | None = None
    poll_s: float = 1
    lane: Lane | None = None
    """What the uploads say of themselves; None leaves it to their age."""


@dataclass
class Summary:
    """What one run did, and what remains."""

    uploaded: int = 0
    duplicates: int = 0
    removed: int = 0
    vanished: int = 0
    ignored: int = 0
    remaining: int = 0
    bytes: int = 0

    @property
    def complete(self) -> bool:
        """Everything that was there is in the store."""
        return not (self.remaining or self.vanished or self.ignored)

    def sentence(self) -> str:
        """For people: what was done and what remains."""
        rare = [f"{getattr(self, name):,} {name}" for name in ("removed", "vanished", "ignored") if getattr(self, name)]
        done = ", ".join(
            [f"{self.uploaded:,} uploaded", f"{self.duplicates:,} duplicate{'s' * (self.duplicates != 1)}", *rare]
        )
        return done + (f"; {self.remaining:,} remain, the next run goes on with them" if self.remaining else "")
