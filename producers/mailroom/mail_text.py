"""The subject, the text and the sender of a mail, as plain text; pure, and never raises on a damaged mail."""

from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parseaddr, parsedate_to_datetime
from html.parser import HTMLParser

__all__ = ["MailText", "read_mail_text", "time_of_delivery"]

_MAX_BYTES = 1 << 16
"""Of one part that are decoded: reports have less than 1 KB, and HTML a few more."""

_BLOCKS = frozenset({"br", "p", "div", "tr", "li", "table", "h1", "h2", "h3", "h4"})
_HIDDEN = frozenset({"style", "script", "head", "title"})


class MailText:
    """What a mail says. `identity` is the same when the same mail is sent again."""

    def __init__(self, message: Message) -> None:
        self.subject = _header(message, "Subject")
        self.sender = parseaddr(_header(message, "From"))[1].rpartition("@")[2].lower()
        """The domain of the sender's address; empty where there is none."""
        self.text = _text(message)
        self.identity = (_header(message, "Message-ID"), _header(message, "Date"), self.subject, self.text)


def read_mail_text(raw: bytes) -> MailText:
    """The text of a mail: its plain text, or what its HTML shows. Attached mails are part of it."""
    return MailText(BytesParser(policy=policy.compat32).parsebytes(raw))


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
        return " ".join(str(make_header(decode_header(str(message.get(name, ""))))).split())
    except (ValueError, LookupError, UnicodeError):  # a wrong or unknown encoding
        return ""


def _text(message: Message) -> str:
    plain: list[str] = []
    html: list[str] = []
    for part in message.walk():
        if part.is_multipart() or part.get_content_maintype() != "text" or part.get_filename():
            continue
        data = part.get_payload(decode=True)
        if isinstance(data, bytes):
            is_html = part.get_content_subtype() == "html"
            (html if is_html else plain).append(_decode(data[:_MAX_BYTES], part.get_content_charset()))
    text = "\n".join(plain)
    return text if text.strip() else "\n".join(map(_shown, html))


def _decode(data: bytes, charset: str | None) -> str:
    try:
        return data.decode(charset or "utf-8", errors="replace")
    except LookupError:
        return data.decode("utf-8", errors="replace")


class _Shown(HTMLParser):
    """Collects the text that a page shows: blocks and rows as lines, cells of a row in one line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _HIDDEN
        self.parts.append("\n" if tag in _BLOCKS else " ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))
        self.parts.append("\n" if tag in _BLOCKS else " ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(" ".join(data.split()))


def _shown(html: str) -> str:
    parser = _Shown()
    try:
        parser.feed(html)
        parser.close()
    except (AssertionError, ValueError):  # of malformed declarations
        pass
    return "".join(parser.parts)
