"""Reads mails from an IMAP or POP3 server, over TLS with a checked certificate."""

import imaplib
import poplib
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from uncia.errors import DependencyDown
from uncia.producers.mailroom.mailboxes import Mailbox

__all__ = ["MailboxClient", "MailboxDown", "open_mailbox"]

_TIMEOUT_S = 60.0

# A line of POP3 has 512 bytes by the standard, and pictures in one line exist; the default of Python is 2,048.
poplib._MAXLINE = 1 << 20  # type: ignore[attr-defined]


class MailboxDown(DependencyDown):
    """The server is unavailable, refuses the user, or does not answer as it should."""


class MailboxClient(Protocol):
    """A mailbox that is open. Every method raises `MailboxDown`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def sizes(self) -> dict[str, int]:
        """The size in bytes of each mail, by an id that never changes and is never given to another mail."""

    def fetch(self, mail_id: str) -> bytes:
        """The whole mail. Nothing in the mailbox changes."""

    def delete(self, mail_id: str) -> None:
        """Delete the mail; final at the latest when the mailbox is closed."""


def open_mailbox(mailbox: Mailbox) -> MailboxClient:
    """Connect and sign in. Raises `MailboxDown`."""
    return _Imap(mailbox) if mailbox.protocol == "imap" else _Pop(mailbox)


class _Explained:
    """Turns the errors of a protocol into `MailboxDown`."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._label = f"the mailbox {mailbox.name} ({mailbox.user} at {mailbox.host}:{mailbox.port})"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, OSError | EOFError | imaplib.IMAP4.error | poplib.error_proto):
            raise MailboxDown(f"{self._label} is not available ({str(error) or type(error).__name__})") from error


class _Imap:
    def __init__(self, mailbox: Mailbox) -> None:
        self._explained = _Explained(mailbox)
        with self._explained:
            context = ssl.create_default_context()
            self._server = imaplib.IMAP4_SSL(mailbox.host, mailbox.port, ssl_context=context, timeout=_TIMEOUT_S)
        try:
            with self._explained:
                self._server.login(mailbox.user, mailbox.password)
                quoted = mailbox.folder.replace("\\", "\\\\").replace('"', '\\"')
                (count,) = self._check(self._server.select(f'"{quoted}"', readonly=not mailbox.delete))
                self._is_empty = _text(count) == "0"
                _, validity = self._server.response("UIDVALIDITY")
                self._validity = _text(validity[0]) if validity and validity[0] else ""
        except BaseException:
            self._server.shutdown()
            raise
        self._deleted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self._deleted and kind is None:
                with self._explained:
                    self._check(self._server.expunge())
        finally:
            with suppress(OSError, imaplib.IMAP4.error):
                self._server.logout()

    def sizes(self) -> dict[str, int]:
        if self._is_empty:
            return {}  # some servers refuse the range 1:* then
        with self._explained:
            lines = self._check(self._server.uid("FETCH", "1:*", "(UID RFC822.SIZE FLAGS)"))
        found = {}
        for line in map(_text, lines):
            uid, size = re.search(r"\bUID (\d+)", line), re.search(r"\bRFC822\.SIZE (\d+)", line)
            if uid and size and "\\Deleted" not in line:
                found[f"{self._validity}.{uid[1]}"] = int(size[1])
        return found

    def fetch(self, mail_id: str) -> bytes:
        with self._explained:
            for part in self._check(self._server.uid("FETCH", mail_id.rpartition(".")[2], "(BODY.PEEK[])")):
                if isinstance(part, tuple):
                    return bytes(part[1])
            raise imaplib.IMAP4.error("a mail is missing")

    def delete(self, mail_id: str) -> None:
        with self._explained:
            self._check(self._server.uid("STORE", mail_id.rpartition(".")[2], "+FLAGS.SILENT", "(\\Deleted)"))
        self._deleted = True

    def _check(self, answer: tuple[str, Sequence[object]]) -> list[object]:
        kind, lines = answer
        if kind != "OK":
            raise imaplib.IMAP4.error(_text(lines[0]) if lines else kind)
        return [line for line in lines if line is not None]


class _Pop:
    def __init__(self, mailbox: Mailbox) -> None:
        self._explained = _Explained(mailbox)
        with self._explained:
            context = ssl.create_default_context()
            self._server = poplib.POP3_SSL(mailbox.host, mailbox.port, context=context, timeout=_TIMEOUT_S)
        try:
            with self._explained:
                self._server.user(mailbox.user)
                self._server.pass_(mailbox.password)
        except BaseException:
            self._server.close()
            raise
        self._numbers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                with self._explained:
                    self._server.quit()  # deletes
        finally:
            self._server.close()

    def sizes(self) -> dict[str, int]:
        with self._explained:
            ids = dict(_text(line).split(" ", 1) for line in self._server.uidl()[1])
            sizes = dict(_text(line).split()[:2] for line in self._server.list()[1])
        self._numbers = {mail_id: number for number, mail_id in ids.items()}
        return {mail_id: int(sizes[number]) for mail_id, number in self._numbers.items() if number in sizes}

    def fetch(self, mail_id: str) -> bytes:
        with self._explained:
            return b"\r\n".join(self._server.retr(int(self._numbers[mail_id]))[1]) + b"\r\n"

    def delete(self, mail_id: str) -> None:
        with self._explained:
            self._server.dele(int(self._numbers[mail_id]))


def _text(line: object) -> str:
    raw = line[0] if isinstance(line, tuple) else line
    return raw.decode("ascii", "replace") if isinstance(raw, bytes) else str(raw)
