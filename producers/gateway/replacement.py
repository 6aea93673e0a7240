"""Decides whether a content of a file takes the place of an earlier one, under its key: one photograph, not two. Pure,
except that it reads the first bytes of the file again.

Many cameras and FTP clients give every photograph the same name, so that another content under an old name is another
photograph until it proves to be the same.
"""

from pathlib import Path

from uncia.imaging.exif import Exif, TimeTag
from uncia.imaging.maker_notes import read_maker_note
from uncia.producers.gateway.completeness import Shape
from uncia.producers.gateway.content import FileContent, prefix_sha256
from uncia.producers.gateway.spool_entry import NOT_STORED, FileState, SpoolEntry
from uncia.settings import StripGps


def is_unchanged(entry: SpoolEntry, content: FileContent, earlier: SpoolEntry) -> bool:
    """True where the earlier content is identical, stored or about to be, and the file has the same size and time."""
    return earlier.sha256 == content.sha256 and (earlier.size, earlier.mtime_ns) == (entry.size, entry.mtime_ns)


def continues(content: FileContent, data: Path, earlier: SpoolEntry, strip_gps: StripGps = StripGps.OFF) -> bool:
    """True where the content begins with the stable prefix of the earlier one, and takes its place."""
    if _is_stored_elsewhere(content, earlier):
        return False
    prefix = earlier.stable_prefix
    return prefix_sha256(data, prefix.size, strip_gps) == prefix.sha256


def is_edit(content: FileContent, earlier: SpoolEntry) -> bool:
    """True where both are complete contents of one photograph, of which a program changed the metadata or the picture.

    Proofs are the same compressed image data, or the same `capture_identity`.
    """
    if _is_stored_elsewhere(content, earlier) or earlier.partial is not None:
        return False
    if content.completeness.shape is not Shape.WHOLE:
        return False
    digest, identity = content.completeness.image_digest, capture_identity(content.exif)
    return (digest is not None and digest == earlier.image_digest) or (
        identity is not None and identity == earlier.capture_identity
    )


def capture_identity(exif: Exif) -> str | None:
    """What no two photographs of a camera share, as text; None where the photograph does not contain enough.

    A time in whole seconds is not enough: the photographs of a burst share it. It takes a fraction of a second, or the
    camera's number of the event and of the photograph in it.
    """
    time = next((stated.time for stated in exif.times if stated.tag is TimeTag.ORIGINAL), None)
    note = read_maker_note(exif.maker_note)
    numbered = note is not None and note.event_number is not None and note.sequence is not None
    if time is None or not (time.microsecond or numbered):
        return None
    numbers = (note.event_number, note.sequence) if note is not None else ()
    serial = exif.serial or (note.serial if note is not None else None)
    return " ".join(str(part) for part in (exif.make, exif.model, serial, time.isoformat(), *numbers))


def _is_stored_elsewhere(content: FileContent, earlier: SpoolEntry) -> bool:
    """Whether the earlier content has no object of its own, or one with these very bytes."""
    if earlier.state is FileState.DUPLICATE:
        return True
    return earlier.state not in NOT_STORED and earlier.sha256 == content.sha256 and earlier.partial is None
