"""Which of a folder's files are photographs for the stream, which are left where they are, and what those are."""

import re
from collections import Counter
from collections.abc import Mapping

PHOTOGRAPHS = frozenset({"jpg", "jpeg"})

_SYSTEM_FILES = frozenset(
    {"thumbs.db", "desktop.ini", "ehthumbs.db", "autorun.inf", "indexervolumeguid", "wpsettings.dat"}
)
SYSTEM_FOLDERS = frozenset({"system volume information", "$recycle.bin", "lost+found"})

_KINDS = {
    "film": "mp4 m4v mov avi mkv webm mpg mpeg mts m2ts m2t ts 3gp wmv asf ogv mjpg mjpeg mod vob divx flv insv lrv",
    "HEIC": "heic heif hif avif",
    "raw picture": "raw dng cr2 cr3 crw nef nrw arw srf sr2 raf rw2 rwl orf pef srw x3f 3fr iiq erf kdc mrw gpr",
    "picture of another format": "png gif bmp tif tiff webp jp2 jxl jpe jfif jps mpo psd",
    "sound": "wav mp3 m4a aac ogg flac wma amr",
    "text or table": "txt csv tsv log xml json html htm md rtf pdf doc docx xls xlsx ini cfg dat gpx kml nmea",
    "unfinished transfer": "part partial filepart tmp temp crdownload download opdownload aria2 !ut bc!",
    "archive": "zip 7z rar tar gz tgz",
}
_KIND_OF = {extension: kind for kind, extensions in _KINDS.items() for extension in extensions.split()}
_PLURALS = {
    "HEIC": "HEIC",
    "text or table": "texts or tables",
    "picture of another format": "pictures of other formats",
}
_TEMPORARY = re.compile(r"~|.*\.(?:te?mp|part(?:ial)?|filepart|crdownload)\.[^.]+$", re.IGNORECASE)


def is_photograph(name: str, extensions: frozenset[str] = PHOTOGRAPHS) -> bool:
    """By its name alone; hidden files are none."""
    stem, dot, extension = name.rpartition(".")
    return bool(stem and dot) and extension.lower() in extensions and not name.startswith(".")


def is_system_file(name: str) -> bool:
    """What operating systems leave behind everywhere, macOS's `._` twins among it."""
    return name.startswith("._") or name.lower() in _SYSTEM_FILES or name == ".DS_Store"


def looks_temporary(name: str) -> bool:
    """Names that programs give a file while they are writing it, though it ends as a photograph's does."""
    return _TEMPORARY.match(name) is not None


def kind_of(name: str) -> str:
    """What a file that is left is, by its extension: a noun in the singular."""
    if name.startswith("."):
        return "hidden file"
    return _KIND_OF.get(name.rpartition(".")[2].lower() if "." in name else "", "other file")


def sentence(left: Mapping[str, int]) -> str:
    """`2 films, 1 HEIC`: the most frequent first."""
    ordered = sorted(Counter(left).items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count:,} {kind if count == 1 else _PLURALS.get(kind, f'{kind}s')}" for kind, count in ordered)
