"""Classifies the files of a folder by name: photographs are uploaded, videos and sound recordings on request; other
files are skipped and counted by kind."""

import re
from collections import Counter
from collections.abc import Mapping

from uncia.storage.recording_names import RECORDING_EXTENSIONS
from uncia.storage.video_names import VIDEO_EXTENSIONS

PHOTOGRAPHS = frozenset({"jpg", "jpeg"})
PHOTOGRAPHS_AND_VIDEOS = PHOTOGRAPHS | VIDEO_EXTENSIONS
VIDEO = "film"
"""The kind of skipped videos."""
RECORDING = "recording"
"""The kind of skipped recordings that could be uploaded."""

_SYSTEM_FILES = frozenset(
    {"thumbs.db", "desktop.ini", "ehthumbs.db", "autorun.inf", "indexervolumeguid", "wpsettings.dat"}
)
SYSTEM_FOLDERS = frozenset({"system volume information", "$recycle.bin", "lost+found"})

_KINDS = {
    "HEIC": "heic heif hif avif",
    "raw picture": "raw dng cr2 cr3 crw nef nrw arw srf sr2 raf rw2 rwl orf pef srw x3f 3fr iiq erf kdc mrw gpr",
    "picture of another format": "png gif bmp tif tiff webp jp2 jxl jpe jfif jps mpo psd",
    "sound": "mp3 m4a aac ogg wma amr",
    "text or table": "txt csv tsv log xml json html htm md rtf pdf doc docx xls xlsx ini cfg dat gpx kml nmea",
    "unfinished transfer": "part partial filepart tmp temp crdownload download opdownload aria2 !ut bc!",
    "archive": "zip 7z rar tar gz tgz",
}
_KIND_OF = {
    **{extension: kind for kind, extensions in _KINDS.items() for extension in extensions.split()},
    **dict.fromkeys(VIDEO_EXTENSIONS, VIDEO),
    **dict.fromkeys(RECORDING_EXTENSIONS, RECORDING),
}
_LABELS = {
    VIDEO: ("video", "videos"),
    RECORDING: ("sound recording", "sound recordings"),
    "HEIC": ("HEIC", "HEIC"),
    "raw picture": ("raw image", "raw images"),
    "picture of another format": ("image in another format", "images in other formats"),
    "sound": ("audio file", "audio files"),
    "text or table": ("text or table", "texts or tables"),
}
"""Singular and plural for people, where they are not the kind and the kind with an `s`. The kinds are JSON keys."""
_TEMPORARY = re.compile(r"~|.*\.(?:te?mp|part(?:ial)?|filepart|crdownload)\.[^.]+$", re.IGNORECASE)


def is_photograph(name: str, extensions: frozenset[str] = PHOTOGRAPHS) -> bool:
    """True for the name of a photograph with one of the extensions; hidden files are skipped."""
    stem, dot, extension = name.rpartition(".")
    return bool(stem and dot) and extension.lower() in extensions and not name.startswith(".")


def is_system_file(name: str) -> bool:
    """True for files that operating systems create everywhere, such as the `._` companions of macOS."""
    return name.startswith("._") or name.lower() in _SYSTEM_FILES or name == ".DS_Store"


def is_temporary_name(name: str) -> bool:
    """True for a name that a program gives a file while writing it, although it has the extension of a photograph."""
    return _TEMPORARY.match(name) is not None


def kind_of(name: str) -> str:
    """Return the kind of a skipped file by its extension; a key of `left` in the JSON output."""
    if name.startswith("."):
        return "hidden file"
    return _KIND_OF.get(name.rpartition(".")[2].lower() if "." in name else "", "other file")


def count_sentence(counts: Mapping[str, int]) -> str:
    """Format counts by kind for people, the most frequent first: `2 videos, 1 HEIC`."""
    ordered = sorted(Counter(counts).items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {label(kind, count)}" for kind, count in ordered)


def label(kind: str, count: int) -> str:
    """The name of a kind for people, in the singular or plural."""
    return _LABELS.get(kind, (kind, f"{kind}s"))[count != 1]
