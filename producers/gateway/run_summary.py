"""The result of one gateway run."""

from dataclasses import dataclass, field

from uncia.producers.gateway import file_kinds


@dataclass
class RunSummary:
    """What one run did, and what remains. The field names are keys of the JSON event `summary`."""

    uploaded: int = 0
    duplicates: int = 0
    removed: int = 0
    vanished: int = 0
    ignored: int = 0
    unreadable: int = 0
    """Folders and photographs that could not be read."""
    partial: int = 0
    """Uploaded files that are incomplete."""
    gps_kept: int = 0
    """Uploaded files from which a position could not be removed, although it was to be."""
    thumbnails: int = 0
    """Thumbnails that were stored; thin links only."""
    held: int = 0
    """Files of which the store has only the thumbnail."""
    expired: int = 0
    """Files that were not requested in time: the store has only the thumbnail, and no later run sends more."""
    remaining: int = 0
    too_large: int = 0
    """Those of the remaining files that need more than a day of a thin link has."""
    bytes: int = 0
    left: dict[str, int] = field(default_factory=dict)
    """Skipped files, which are not photographs for the stream, by kind."""

    @property
    def complete(self) -> bool:
        """True where every photograph of the folder is in the store."""
        return not (self.remaining or self.held or self.expired or self.vanished or self.ignored or self.unreadable)

    def sentence(self, location: str = "in the folder") -> str:
        """The summary for people; `location` is where skipped files are left."""
        names = ("thumbnails", "partial", "removed", "vanished", "ignored", "unreadable")
        nonzero = [f"{getattr(self, name):,} {name}" for name in names if getattr(self, name)]
        done = ", ".join(
            [f"{self.uploaded:,} uploaded", f"{self.duplicates:,} duplicate{'s' * (self.duplicates != 1)}", *nonzero]
        )
        if self.gps_kept:
            done += f"; {self.gps_kept:,} with their position, if they have one"
        if self.held:
            done += f"; {self.held:,} held here, of which the store has the thumbnail"
        if self.expired:
            done += f"; {self.expired:,} expired, of which the store has the thumbnail only"
        if self.left:
            done += f"; left {location}: {file_kinds.count_sentence(self.left)}"
        if self.remaining:
            done += f"; {self.remaining:,} remain for the next run"
        return done + (f", {self.too_large:,} of them too large for any day of the link" if self.too_large else "")
