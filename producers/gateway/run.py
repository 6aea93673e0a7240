"""What one run is asked to do, and what it did."""

from dataclasses import dataclass, field
from pathlib import Path

from uncia.events import Lane
from uncia.producers.gateway import file_kinds as kinds
from uncia.producers.gateway.settling import Patience


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
    patience: Patience = field(default_factory=Patience)
    """How long files that are no whole photographs are waited for."""
    where: str = "in the folder"
    """Where files lie that are left, in words."""


@dataclass
class Summary:
    """What one run did, and what remains."""

    uploaded: int = 0
    duplicates: int = 0
    removed: int = 0
    vanished: int = 0
    ignored: int = 0
    unreadable: int = 0
    """Folders and photographs that could not even be looked at."""
    partial: int = 0
    """Of the uploaded: no whole photographs."""
    remaining: int = 0
    bytes: int = 0
    left: dict[str, int] = field(default_factory=dict)
    """Files that are no photographs for the stream, by kind."""

    @property
    def complete(self) -> bool:
        """Everything that was there is in the store."""
        return not (self.remaining or self.vanished or self.ignored or self.unreadable)

    def sentence(self, where: str = "in the folder") -> str:
        """For people: what was done, what remains, and what was left `where` it is."""
        names = ("partial", "removed", "vanished", "ignored", "unreadable")
        rare = [f"{getattr(self, name):,} {name}" for name in names if getattr(self, name)]
        done = ", ".join(
            [f"{self.uploaded:,} uploaded", f"{self.duplicates:,} duplicate{'s' * (self.duplicates != 1)}", *rare]
        )
        if self.left:
            done += f"; left {where}: {kinds.sentence(self.left)}"
        return done + (f"; {self.remaining:,} remain, the next run goes on with them" if self.remaining else "")
