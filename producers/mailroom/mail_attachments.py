"""Finds the pictures and other files in a mail; pure."""

import hashlib
from dataclasses import dataclass
from email import policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser

from uncia.producers.mailroom.file_names import JPEG_START

__all__ = ["Attachment", "file_name", "find_attachments", "parse_mail"]

_MEDIA = frozenset({"image", "video", "audio"})
_ENDINGS = {
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/png": ".png",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/3gpp": ".3gp",
    "video/avi": ".avi",
    "video/x-msvideo": ".avi",
}


@dataclass(frozen=True)
class Attachment:
    """A file in a mail: the name that the camera gave it, and its bytes."""

    name: str
    data: bytes


def parse_mail(raw: bytes) -> Message:
    """The parts of a mail. Damaged mails give what can be decoded: the parser of the old policy never raises."""
    return BytesParser(policy=policy.compat32).parsebytes(raw)


def find_attachments(message: Message) -> list[Attachment]:
    """The files in a mail, in their order, those in attached mails included. Files with the same bytes appear once.

    A part is a file when it has a file name, is declared as a picture, film or sound, or starts as a JPEG.
    """
    found: dict[str, Attachment] = {}
    for part in message.walk():
        if part.is_multipart():
            continue
        data = part.get_payload(decode=True)
        if not isinstance(data, bytes) or not data:
            continue
        name = file_name(part)
        if name or part.get_content_maintype() in _MEDIA or data.startswith(JPEG_START):
            ending = _ENDINGS.get(part.get_content_type(), ".bin")
            found.setdefault(hashlib.sha256(data).hexdigest(), Attachment(name or f"attachment{ending}", data))
    return list(found.values())


def file_name(part: Message) -> str:
    """The file name of a part, decoded; empty where it has none."""
    try:
        name = part.get_filename() or ""
        return str(make_header(decode_header(name))).strip()
    except (ValueError, LookupError, UnicodeError):  # a wrong or unknown encoding
        return "attachment"
