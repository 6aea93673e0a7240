"""Recognises videos by the name of a file or object.

Cameras write them next to photographs. They are stored and announced like photographs, and answered with the rejection
`video-not-analysed`: no model reads them. The name decides, so that none is fetched for that: a minute of video is as
large as the photographs of a week.
"""

from uncia.storage.recording_names import CONTENT_TYPES as _SOUND_TYPES

_CONTENT_TYPES = {
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "lrv": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "mpg": "video/mpeg",
    "mpeg": "video/mpeg",
    "mts": "video/mp2t",
    "m2ts": "video/mp2t",
    "m2t": "video/mp2t",
    "ts": "video/mp2t",
    "3gp": "video/3gpp",
}

VIDEO_EXTENSIONS = frozenset(
    {*_CONTENT_TYPES, "wmv", "asf", "ogv", "mjpg", "mjpeg", "mod", "vob", "divx", "flv", "insv"}
)
"""File name extensions of videos, in lower case."""


def is_video_name(key: str) -> bool:
    """Whether the last level of a key, or a file name, is that of a video; hidden files and `._` companions are not."""
    name = key.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    return bool(stem and dot) and not name.startswith(".") and extension.lower() in VIDEO_EXTENSIONS


def content_type(name: str) -> str:
    """The media type for storing a photograph, a video, a recording or a JSON document; photographs are JPEG."""
    if name.endswith(".json"):
        return "application/json"
    if sound := _SOUND_TYPES.get(name.rpartition(".")[2].lower()):
        return sound
    if not is_video_name(name):
        return "image/jpeg"
    return _CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")
