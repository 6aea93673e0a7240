"""The session of a camera with the FTP server: sign-in, file system and transfers, on pyftpdlib (2.2)."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from OpenSSL import SSL
from pyftpdlib.exceptions import AuthenticationFailed, _FileReadWriteError
from pyftpdlib.filesystems import AbstractedFS, FilesystemError
from pyftpdlib.handlers import TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.log import logger

from uncia.errors import UnciaError
from uncia.producers.mailroom.accounts import Account, Accounts
from uncia.producers.mailroom.camera_folder import CameraFolder
from uncia.producers.mailroom.login_guard import LoginGuard
from uncia.producers.mailroom.received_file import ReceivedFile

__all__ = ["CameraAuthorizer", "CameraSession"]

_PERMISSIONS = frozenset("elawmfd")
"""Change folder, list, append, write, make folder, rename, delete. Not `r`: nothing is ever sent to a camera, so that a
password that leaked shows no photograph."""

_REFUSED_COMMANDS = frozenset({"RETR", "STOU", "MFMT", "SITE", "SITE CHMOD", "SITE HELP"})
"""Reading, changing times and modes; and STOU, whose name pyftpdlib does not check."""


class CameraAuthorizer:
    """Checks user names and passwords, with the interface of pyftpdlib's authorizers."""

    def __init__(self, accounts: Accounts, guard: LoginGuard, open_folder: Callable[[Account], CameraFolder]) -> None:
        self._accounts = accounts
        self._guard = guard
        self._open_folder = open_folder

    def validate_authentication(self, username: str, password: str, handler: Any) -> None:
        """Raises `AuthenticationFailed`."""
        address = handler.remote_ip
        if seconds := self._guard.seconds_locked(address, username):
            raise AuthenticationFailed(f"Too many wrong passwords; try again in {seconds:.0f} s.")
        try:
            account = self._accounts.check(username, password)
        except UnciaError as error:
            raise AuthenticationFailed("Accounts are not available now.") from error
        if account is None:
            self._guard.failed(address, username)
            raise AuthenticationFailed("Wrong user name or password.")
        self._guard.succeeded(address, username)
        try:
            handler.camera_folder = self._open_folder(account)
        except OSError as error:
            raise AuthenticationFailed("The disk is not available now.") from error
        handler.camera_home = str(handler.camera_folder.receiving)

    def get_home_dir(self, _username: str) -> str:
        """Never used: the session knows its folder from the sign-in."""
        return os.devnull

    def has_perm(self, _username: str, perm: str, path: str | None = None) -> bool:
        """Whether a command with this permission is allowed; `path` does not matter."""
        return perm in _PERMISSIONS

    def get_perms(self, _username: str) -> str:
        """All permissions, for listings."""
        return "".join(sorted(_PERMISSIONS))

    def get_msg_login(self, _username: str) -> str:
        """The reply to a sign-in."""
        return "Welcome."

    def get_msg_quit(self, _username: str) -> str:
        """The reply to QUIT."""
        return "Goodbye."

    def impersonate_user(self, _username: str, _password: str) -> None:
        """Cameras are no users of the system."""

    def terminate_impersonation(self, _username: str) -> None:
        """See `impersonate_user`."""


class CameraFilesystem(AbstractedFS):  # type: ignore[misc]
    """pyftpdlib's view of a `CameraFolder`. Real paths are those below `receiving`."""

    def __init__(self, _root: str, cmd_channel: Any) -> None:
        super().__init__(cmd_channel.camera_home, cmd_channel)
        self._folder: CameraFolder = cmd_channel.camera_folder

    def ftp2fs(self, ftppath: str) -> str:
        """The real path; one outside of the root, which pyftpdlib then refuses, where the name climbs out of it.

        pyftpdlib would remove the levels `..` that lead out, and store the file under another name than requested.
        """
        base = [] if ftppath.startswith("/") else [level for level in self.cwd.split("/") if level]
        depth = len(base)
        for level in ftppath.split("/"):
            depth += {"": 0, ".": 0, "..": -1}.get(level, 1)
            if depth < 0 and ftppath.strip("/") != "..":  # CDUP in the root stays there
                return str(Path(self.root).parent)
        if "\0" in ftppath:
            return str(Path(self.root).parent)
        return str(super().ftp2fs(ftppath))

    def open(self, filename: str, mode: str) -> ReceivedFile:
        """Start or continue a transfer."""
        with _explained():
            return self._folder.begin(self._relative(filename), mode.replace("b", ""))

    def rename(self, src: str, dst: str) -> None:
        """Rename a confirmed file."""
        if Path(src).is_dir():
            raise FilesystemError("Folders cannot be renamed")
        with _explained():
            self._folder.rename(self._relative(src), self._relative(dst))

    def remove(self, path: str) -> None:
        """Remove what is left of a broken transfer."""
        if not self.lexists(path):
            raise FilesystemError("No such file")
        self._folder.remove(self._relative(path))

    def listdir(self, path: str) -> list[str]:
        """The names in a folder."""
        return self._folder.names(self._relative(path))

    def lstat(self, path: str) -> os.stat_result:
        """Size and time of a file."""
        return self._folder.place(self._relative(path)).lstat()

    stat = lstat

    def chdir(self, path: str) -> None:
        """Change the folder of this session; the process, which other sessions share, stays where it is."""
        if not Path(path).is_dir():
            raise FilesystemError("No such folder")
        self.cwd = self.fs2ftp(path)

    def isfile(self, path: str) -> bool:
        """True for a file that the camera has sent."""
        return self._folder.size(self._relative(path)) is not None

    def lexists(self, path: str) -> bool:
        """True for a file that the camera has sent, or a folder."""
        return Path(path).is_dir() or self.isfile(path)

    def getsize(self, path: str) -> int:
        """The size of a file as far as the camera has sent it."""
        size = self._folder.size(self._relative(path))
        if size is None:
            raise FilesystemError("No such file")
        return size

    def getmtime(self, path: str) -> float:
        """The time of the last byte."""
        return self._folder.place(self._relative(path)).stat().st_mtime

    def _relative(self, path: str) -> Path:
        return Path(os.path.relpath(path, self.root))


class CameraTransfer(TLS_DTPHandler):  # type: ignore[misc]
    """One transfer. Its reply, "226 Transfer complete", follows only after the file is on disk in the inbox."""

    file_obj: ReceivedFile | None
    transfer_finished: bool
    _folder: CameraFolder

    def __init__(self, sock: Any, cmd_channel: Any) -> None:
        self._receives_now = False
        self.timeout = cmd_channel.timeout
        super().__init__(sock, cmd_channel)

    def enable_receiving(self, type: str, cmd: str) -> None:
        """Receive the bytes as they are, although the default type of FTP is text: that damages photographs."""
        # Now, because the session may sign in as another camera before the transfer ends.
        self._folder = self.cmd_channel.camera_folder
        super().enable_receiving("i", cmd)

    def recv(self, buffer_size: int) -> bytes:
        """Receive, and remember for `close` that an end found now is one in the stream of bytes."""
        self._receives_now = True
        try:
            received: bytes = super().recv(buffer_size)
        finally:
            self._receives_now = False
        return received

    def handle_error(self) -> None:
        """End the transfer with a reply. pyftpdlib ends one over TLS without any, and the camera would wait for it."""
        error = sys.exc_info()[1]
        if not isinstance(error, _FileReadWriteError):
            self.log_exception(self)
        self._error = True  # the base class then closes without the exchange that ends TLS
        cause = error.__cause__ if error is not None else None
        reason = _reason(cause) if isinstance(cause, OSError) else "Internal error"
        self._resp = (f"552 {reason}; not stored.", logger.warning)
        self.close()

    def close(self) -> None:
        """Confirm the file where its transfer has ended, before the base class replies.

        pyftpdlib counts a reset, and a TLS stream that was cut, as an end too. It calls this method while it handles
        the error, which distinguishes the cases.
        """
        error = sys.exc_info()[1]
        clean = self._receives_now and (error is None or isinstance(error, SSL.ZeroReturnError))
        file = self.file_obj
        if not self._closed and self.receive and file is not None and not file.closed:
            if self.transfer_finished:
                try:
                    self._folder.finish(file, clean=clean)
                except OSError as problem:
                    self.transfer_finished = False
                    self._resp = (f"451 {_reason(problem)}; not stored.", logger.warning)
            else:
                self._folder.abandon(file)
        super().close()


class CameraSession(TLS_FTPHandler):  # type: ignore[misc]
    """The control connection of a camera."""

    banner = "Uncia mailroom ready."
    dtp_handler = CameraTransfer
    abstracted_fs = CameraFilesystem
    proto_cmds: ClassVar[dict[str, Any]] = {
        name: command for name, command in TLS_FTPHandler.proto_cmds.items() if name not in _REFUSED_COMMANDS
    }
    use_sendfile = False
    camera_folder: CameraFolder
    camera_home: str


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turns an `OSError` into the error whose text pyftpdlib sends to the client."""
    try:
        yield
    except OSError as error:
        raise FilesystemError(_reason(error)) from error


def _reason(error: OSError) -> str:
    """The cause, without the paths of this machine."""
    return error.strerror or (str(error) if not isinstance(error, FileNotFoundError) else "No such file")
