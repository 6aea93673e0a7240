"""IMAP and POP3 servers of Twisted over TLS, as a program: `python -m … FOLDER CERTFILE KEYFILE`.

The mailbox of the user `cameras` (password `secret`) holds the files `FOLDER/<uid>.eml`. Prints both ports as JSON.
"""

import io
import json
import sys
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import endpoints, protocol, reactor, ssl
from twisted.mail import imap4, pop3
from zope.interface import implementer


@implementer(imap4.IMessage, imap4.IMessageFile)
class Message:
    def __init__(self, path: Path, flags: set[str]) -> None:
        self.path, self.flags = path, flags

    def getUID(self) -> int:
        return int(self.path.stem)

    def getFlags(self) -> list[str]:
        return sorted(self.flags)

    def getInternalDate(self) -> str:
        return "01-Jan-2026 00:00:00 +0000"

    def getHeaders(self, negate: bool, *names: str) -> dict[str, str]:
        return dict(message_from_bytes(self.path.read_bytes()).items())

    def getBodyFile(self) -> io.BytesIO:
        return io.BytesIO(self.path.read_bytes().partition(b"\n\n")[2])

    def getSize(self) -> int:
        return self.path.stat().st_size

    def isMultipart(self) -> bool:
        return False

    def getSubPart(self, part: int) -> None:
        raise IndexError(part)

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.path.read_bytes())


@implementer(imap4.IMailbox)
class ImapMailbox:
    flags: dict[int, set[str]] = {}  # noqa: RUF012

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.messages = [
            Message(path, self.flags.setdefault(int(path.stem), set()))
            for path in sorted(folder.glob("*.eml"), key=lambda path: int(path.stem))
        ]

    def getFlags(self) -> list[str]:
        return [r"\Seen", r"\Deleted"]

    def getHierarchicalDelimiter(self) -> str:
        return "/"

    def getUIDValidity(self) -> int:
        return 7

    def getUIDNext(self) -> int:
        return max([0, *(message.getUID() for message in self.messages)]) + 1

    def getUID(self, number: int) -> int:
        return self.messages[number - 1].getUID()

    def getMessageCount(self) -> int:
        return len(self.messages)

    def getRecentCount(self) -> int:
        return 0

    def getUnseenCount(self) -> int:
        return len(self.messages)

    def isWriteable(self) -> bool:
        return True

    def requestStatus(self, names: Any) -> Any:
        return imap4.statusRequestHelper(self, names)

    def addListener(self, listener: Any) -> None:
        pass

    def removeListener(self, listener: Any) -> None:
        pass

    def fetch(self, wanted: Any, uid: bool) -> Iterator[tuple[int, Message]]:
        if not self.messages:
            return
        wanted.last = self.messages[-1].getUID() if uid else len(self.messages)
        for number, message in enumerate(self.messages, 1):
            if (message.getUID() if uid else number) in wanted:
                yield number, message

    def store(self, wanted: Any, flags: list[str], mode: int, uid: bool) -> dict[int, list[str]]:
        changed = {}
        for number, message in self.fetch(wanted, uid):
            names = {flag.decode() if isinstance(flag, bytes) else flag for flag in flags}
            message.flags.update(names) if mode >= 0 else message.flags.difference_update(names)
            changed[number] = message.getFlags()
        return changed

    def expunge(self) -> list[int]:
        removed = []
        for number, message in enumerate(self.messages, 1):
            if r"\Deleted" in message.flags:
                message.path.unlink()
                removed.append(number)
        return removed


@implementer(pop3.IMailbox)
class PopMailbox(pop3.Mailbox):  # type: ignore[misc]
    def __init__(self, folder: Path) -> None:
        self.paths: list[Path | None] = [*sorted(folder.glob("*.eml"), key=lambda path: int(path.stem))]
        self.deleted: list[Path] = []

    def listMessages(self, index: int | None = None) -> Any:
        sizes = [path.stat().st_size if path else 0 for path in self.paths]
        return sizes if index is None else sizes[index]

    def getMessage(self, index: int) -> io.BytesIO:
        path = self.paths[index]
        assert path is not None
        return io.BytesIO(path.read_bytes().replace(b"\r\n", b"\n"))  # Twisted makes CRLF of it

    def getUidl(self, index: int) -> str:
        path = self.paths[index]
        assert path is not None
        return f"id{path.stem}"

    def deleteMessage(self, index: int) -> None:
        path, self.paths[index] = self.paths[index], None
        assert path is not None
        self.deleted.append(path)

    def sync(self) -> None:
        for path in self.deleted:
            path.unlink()


@implementer(IRealm)
class Realm:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def requestAvatar(self, user: bytes, mind: Any, *interfaces: Any) -> Any:
        if pop3.IMailbox in interfaces:
            return pop3.IMailbox, PopMailbox(self.folder), lambda: None
        account = imap4.MemoryAccount("cameras")
        account.addMailbox("INBOX", ImapMailbox(self.folder))
        return imap4.IAccount, account, lambda: None


def main() -> None:
    folder, certfile, keyfile = sys.argv[1:]
    users = InMemoryUsernamePasswordDatabaseDontUse(cameras=b"secret")
    portal = Portal(Realm(Path(folder)), [users])

    class Imap(protocol.ServerFactory):  # type: ignore[misc]
        def buildProtocol(self, address: Any) -> Any:
            server = imap4.IMAP4Server()
            server.portal = portal
            return server

    class Pop(protocol.ServerFactory):  # type: ignore[misc]
        def buildProtocol(self, address: Any) -> Any:
            server = pop3.POP3()
            server.portal = portal
            return server

    context = ssl.DefaultOpenSSLContextFactory(keyfile, certfile)
    ports = [
        endpoints.SSL4ServerEndpoint(reactor, 0, context, interface="127.0.0.1").listen(factory())
        for factory in (Imap, Pop)
    ]
    print(json.dumps([port.result.getHost().port for port in ports]), flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
