"""Where the embedded stack keeps things."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import StackError

_ODD = set(" %;:,'\"$`\\#=")
"""Characters that one of Java's class path, supervisord's file, or Triton's stub reads in its own way."""

_SHORT = "uncia-"

_LONGEST_TEMP = 60
"""A Unix socket's path may have 107 bytes; our part of it takes under 40."""


def parts_dir() -> Path:
    """Where installed parts live: Kafka's jars, Triton and its packages."""
    return Path(os.environ.get("UNCIA_PARTS_DIR", ".local/parts")).absolute()


@dataclass(frozen=True)
class Layout:
    """The folders of one stack.

    `folder` is the stack's own, wherever the user has put it. `short` is a private folder in the temp directory
    that lives while the stack is up: the control socket is there (its path must be short), and links to the real
    folders, so that a space or a percent sign in their paths reaches neither Java, nor supervisord, nor Triton.
    """

    folder: Path
    short: Path

    @classmethod
    def make(cls, folder: Path) -> "Layout":
        """Make the folders, for the owner alone, and draw a fresh short one."""
        for name in ("data", "logs", "ready", "run"):
            _private(folder / name)
        layout = cls(folder, Path(tempfile.mkdtemp(prefix=_SHORT, dir=_temp())))
        (layout.short / "stack").symlink_to(folder)
        (layout.short / "parts").symlink_to(parts_dir())
        return layout

    def remove_short(self) -> None:
        """Take the short folder away. The links in it are removed, never followed."""
        if self.short.name.startswith(_SHORT):
            shutil.rmtree(self.short, ignore_errors=True)

    @property
    def socket(self) -> Path:
        """supervisord's control socket."""
        return self.short / "control.sock"

    @property
    def run(self) -> Path:
        """Generated start scripts and configuration files."""
        return self.short / "stack" / "run"

    @property
    def logs(self) -> Path:
        """One log per part."""
        return self.short / "stack" / "logs"

    @property
    def parts(self) -> Path:
        """The installed parts."""
        return self.short / "parts"

    def data(self, part: str) -> Path:
        """What a part keeps on disk."""
        return self.short / "stack" / "data" / part

    def ready_file(self, part: str) -> Path:
        """Touched by a worker once its partitions are assigned and its tables recovered."""
        return self.short / "stack" / "ready" / part

    def link(self, name: str, target: Path) -> Path:
        """A path without odd characters to `target`."""
        link = self.short / name
        link.unlink(missing_ok=True)
        link.symlink_to(target.absolute())
        return link


def write_private(path: Path, text: str) -> None:
    """Write a file that only the owner reads, at once: a reader sees the old text or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def claim(folder: Path) -> None:
    """Make the stack's folder, or take the one that a stack lives in. Raises `StackError` for anybody else's."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "lock").exists():
        raise StackError(f"{folder} holds other things: let UNCIA_STACK_DIR name a folder that is new or empty")
    _private(folder)


def _private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StackError(
            f"the stack's folder {folder} cannot be made ({error.strerror}): set UNCIA_STACK_DIR to one that can"
        ) from error


def _temp() -> str:
    named = tempfile.gettempdir()
    return named if len(named) <= _LONGEST_TEMP and not _ODD & set(named) else "/tmp"
