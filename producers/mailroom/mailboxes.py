"""The mailboxes elsewhere from which mails are fetched, in one JSON file that is readable by its owner only."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from uncia.errors import SettingsError, UnciaError
from uncia.producers.gateway.object_names import checked_name
from uncia.producers.mailroom.private_file import changing, parse_document, write_document

__all__ = ["Mailbox", "Mailboxes", "Protocol"]

Protocol = Literal["imap", "pop"]

_PORTS: dict[Protocol, int] = {"imap": 993, "pop": 995}


@dataclass(frozen=True)
class Mailbox:
    """One mailbox on a server elsewhere, over TLS. Holds its password, which signing in needs."""

    name: str
    protocol: Protocol
    host: str
    port: int
    user: str
    password: str
    folder: str = "INBOX"
    """For IMAP."""
    station: str | None = None
    camera: str | None = None
    """The camera that all its mails are from, unless a recipient is the address of a camera's account."""
    delete: bool = False
    """Delete mails from the mailbox after they are stored."""


class Mailboxes:
    """The mailboxes in a file. Every method raises `UnciaError` when the file cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> tuple[Mailbox, ...]:
        """All mailboxes, by name."""
        try:
            document = parse_document(self.path.read_text(encoding="utf-8"))
            return tuple(Mailbox(**fields) for fields in document["mailboxes"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UnciaError(f"cannot read the mailboxes in {self.path} ({error})") from error

    def add(
        self,
        name: str,
        protocol: Protocol,
        host: str,
        user: str,
        password: str,
        *,
        port: int | None = None,
        folder: str = "INBOX",
        station: str | None = None,
        camera: str | None = None,
        delete: bool = False,
    ) -> Mailbox:
        """Add a mailbox. Raises `SettingsError` for an invalid value, or a name that exists."""
        if (station is None) != (camera is None):
            raise SettingsError("a mailbox of one camera needs both --station and --camera")
        mailbox = Mailbox(
            name=checked_name(name, "mailbox"),
            protocol=protocol,
            host=host,
            port=port or _PORTS[protocol],
            user=user,
            password=password,
            folder=folder,
            station=None if station is None else checked_name(station, "station"),
            camera=None if camera is None else checked_name(camera, "camera"),
            delete=delete,
        )
        with changing(self.path):
            mailboxes = self.all()
            if any(other.name == mailbox.name for other in mailboxes):
                raise SettingsError(f"there is a mailbox {mailbox.name}: remove it first, or use another name")
            self._write((*mailboxes, mailbox))
        return mailbox

    def remove(self, name: str) -> Mailbox:
        """Remove a mailbox from the file; nothing happens to its mails. Raises `SettingsError` where there is none."""
        with changing(self.path):
            mailboxes = self.all()
            for mailbox in mailboxes:
                if mailbox.name == name:
                    self._write(tuple(other for other in mailboxes if other is not mailbox))
                    return mailbox
        raise SettingsError(f"there is no mailbox {name}: `uncia mailroom mailbox list` shows those that exist")

    def _write(self, mailboxes: tuple[Mailbox, ...]) -> None:
        ordered = sorted(mailboxes, key=lambda mailbox: mailbox.name)
        write_document(self.path, {"mailboxes": [asdict(mailbox) for mailbox in ordered]})
