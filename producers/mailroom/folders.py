"""The folders of the mailroom. All are on one file system, so that a file moves between them in one step."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from uncia.producers.gateway.content import RESERVE
from uncia.producers.gateway.spool_database import create_folder_durably


class NoSpace(OSError):
    """The disk of the mailroom is full: nothing is accepted until there is space."""


@dataclass(frozen=True)
class MailroomFolders:
    """The folders below the mailroom's own, `root`.

    receiving/<station>/<camera>   bytes whose transfer runs, or broke off: the camera has no confirmation
    receiving-mail                 the same for mails
    held/<station>/<camera>        confirmed files that wait for their final name, or for the rest of a JPEG or video
    inbox/<station>/<camera>       confirmed files; the gateway uploads from here
    messages/<station>/<camera>    confirmed mails without a picture
    reports/<station>/<camera>     confirmed status reports, until the store has them
    spool/<station>.sqlite         the gateway's spools
    fetched/<mailbox>.json         which mails of a mailbox elsewhere were fetched
    """

    root: Path

    @property
    def accounts(self) -> Path:
        """The file with the accounts."""
        return self.root / "accounts.json"

    @property
    def mailboxes(self) -> Path:
        """The file with the mailboxes elsewhere."""
        return self.root / "mailboxes.json"

    @property
    def fetched(self) -> Path:
        """See the class."""
        return self.root / "fetched"

    @property
    def receiving(self) -> Path:
        """See the class."""
        return self.root / "receiving"

    @property
    def receiving_mail(self) -> Path:
        """See the class."""
        return self.root / "receiving-mail"

    @property
    def held(self) -> Path:
        """See the class."""
        return self.root / "held"

    @property
    def inbox(self) -> Path:
        """See the class."""
        return self.root / "inbox"

    @property
    def messages(self) -> Path:
        """See the class."""
        return self.root / "messages"

    @property
    def reports(self) -> Path:
        """See the class."""
        return self.root / "reports"

    def spool(self, station: str) -> Path:
        """The gateway's spool of a station."""
        return self.root / "spool" / f"{station}.sqlite"

    def create(self) -> None:
        """Create the folders, readable by their owner only. Raises `OSError`."""
        create_folder_durably(self.root)
        self.root.chmod(0o700)
        for folder in (
            *(self.receiving, self.receiving_mail, self.held, self.inbox, self.messages, self.reports, self.fetched),
            self.root / "spool",
        ):
            create_folder_durably(folder)

    def check_space(self, size: int = 0) -> None:
        """Raise `NoSpace` when a file of this size, in bytes, would not leave the gateway's reserve on the disk."""
        if shutil.disk_usage(self.root).free < size + RESERVE:
            raise NoSpace(f"the disk of {self.root} is full")
