"""The subject, the text and the sender of a mail, as plain text; pure, and never raises on a damaged mail."""

import re
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parseaddr, parsedate_to_datetime
from html import unescape

from uncia.producers.mailroom.mail_attachments import file_name

__all__ = ["MailText", "read_mail_text", "time_of_delivery"]

_MAX_BYTES = 1 << 16
"""Of all texts of a mail together that are read: reports have less than 1 KB, and as HTML a few more."""

_BLOCKS = frozenset({"br", "p", "div", "tr", "li", "table", "h1", "h2", "h3", "h4"})
_HIDDEN = frozenset({"style", "script", "head", "title"})
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]{0,9}|!)[^<>]{0,2000}>", re.IGNORECASE)


class MailText:
    """What a mail says. `identity` is the same when the same mail is sent again."""

    def __init__(self, message: Message) -> None:
        self.subject = _header(message, "Subject")
        self.sender = parseaddr(_header(message, "From"))[1].rpartition("@")[2].lower()
        """The domain of the sender's address; empty where there is none."""
        self.text = _text(message)
        self.identity = (_header(message, "Message-ID"), _header(message, "Date"), self.subject, self.text)


def read_mail_text(message: Message) -> MailText:
    """The text of a mail: its plain text, or what its HTML shows. Attached mails are part of it."""
    return MailText(message)


def time_of_delivery(raw: bytes, now: datetime) -> datetime:
    """When the mail server of a mailbox received a mail, by the topmost `Received` header; `now` where it is unknown.

    Both in UTC. The header `Date` is not used: it is written by the camera, whose clock may be wrong by years.
    """
    headers = BytesParser(policy=policy.compat32).parsebytes(raw, headersonly=True)
    stated = _header(headers, "Received").rpartition(";")[2]
    try:
        moment = parsedate_to_datetime(stated.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return now
    return min(moment, now) if moment.year > 2000 else now


def _header(message: Message, name: str) -> str:
    try:
        text = str(make_header(decode_header(str(message.get(name, "")))))
        return _without_surrogates(" ".join(text.split()))
    except (ValueError, LookupError, UnicodeError):  # a wrong or unknown encoding
        return ""


def _text(message: Message) -> str:
    plain: list[str] = []
    html: list[str] = []
    left = _MAX_BYTES
    for part in message.walk():
        if part.is_multipart() or part.get_content_maintype() != "text" or file_name(part):
            continue
        data = part.get_payload(decode=True)
        if isinstance(data, bytes) and left > 0:
            is_html = part.get_content_subtype() == "html"
            (html if is_html else plain).append(_decode(data[:left], part.get_content_charset()))
            left -= len(data)
    text = "\n".join(plain)
    return text if text.strip() else "\n".join(map(_shown, html))


def _decode(data: bytes, charset: str | None) -> str:
    try:
        text = data.decode(charset or "utf-8", errors="replace")
    except (LookupError, ValueError):  # unknown, or one of Python's that is no encoding of text
        text = data.decode("utf-8", errors="replace")
    return _without_surrogates(text)


def _without_surrogates(text: str) -> str:
    """Some of Python's encodings decode to single surrogates, which have no bytes in UTF-8."""
    return text.encode("utf-8", errors="replace").decode()


def _shown(html: str) -> str:
    """The text that a page shows: blocks and rows as lines, cells of a row in one line.

    Not by `html.parser`, whose time grows with the square of some inputs: 64 KB of `<a` and tabs took 34 s.
    """
    parts: list[str] = []
    at = hidden = 0
    for tag in _TAG.finditer(html):
        if not hidden:
            parts.append(" ".join(unescape(html[at : tag.start()]).split()))
        name = tag[2].lower()
        if name in _HIDDEN:
            hidden = max(0, hidden - 1) if tag[1] else hidden + 1
        parts.append("\n" if name in _BLOCKS else " ")
        at = tag.end()
    if not hidden:
        parts.append(" ".join(unescape(html[at:]).split()))
    return "".join(parts)
