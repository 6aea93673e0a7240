"""`python -m uncia.infra.local.install_browser`: installs Chromium, which the tests of the dashboard drive.

Optional: without it, `tests/browser` is skipped. Playwright's own builds are never downloaded.
"""

import shutil

from uncia.errors import StackError
from uncia.infra.local.install_tools import install_system_package
from uncia.terminal import echo

__all__ = ["BROWSERS", "chromium", "main"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

_HINT = "without Chromium the browser tests are skipped (Debian and Ubuntu: sudo apt-get install chromium)"


def chromium() -> str | None:
    """The path of an installed Chromium or Chrome."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def main() -> None:
    """Install Chromium where it is missing and may be installed; otherwise print one sentence."""
    if chromium():
        return
    try:
        install_system_package("chromium", otherwise=_HINT)
    except StackError as error:
        echo(" ".join(str(error).splitlines()[:1]), err=True)


if __name__ == "__main__":
    main()
