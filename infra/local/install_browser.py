"""`python -m uncia.infra.local.install_browser`: installs Chromium, which the tests of the dashboard drive.

Playwright drives it by a Node of its own, which needs a library that a minimal Debian lacks.

Optional: without it, `tests/browser` is skipped. Playwright's own builds are never downloaded.
"""

import ctypes.util
import shutil

from uncia.errors import StackError
from uncia.infra.local.install_tools import install_system_package
from uncia.terminal import echo

__all__ = ["BROWSERS", "chromium", "main", "missing"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

_HINT = "the browser tests need Chromium (Debian and Ubuntu: sudo apt-get install chromium)"
_LIBRARY_HINT = "the browser tests need libatomic (Debian and Ubuntu: sudo apt-get install libatomic1)"


def chromium() -> str | None:
    """The path of an installed Chromium or Chrome."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def missing() -> str:
    """A sentence on what the browser tests lack here; empty where they can run."""
    if not chromium():
        return _HINT
    return "" if ctypes.util.find_library("atomic") else _LIBRARY_HINT


def main() -> None:
    """Install what is missing and may be installed; otherwise print one sentence."""
    try:
        if not chromium():
            install_system_package("chromium", otherwise=_HINT)
        if not ctypes.util.find_library("atomic"):
            install_system_package("libatomic1", otherwise=_LIBRARY_HINT)
    except StackError as error:
        echo(" ".join(str(error).splitlines()[:1]), err=True)


if __name__ == "__main__":
    main()
