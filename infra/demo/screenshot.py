"""`python -m uncia.infra.demo.screenshot`: photographs the dashboard of the last demo, for the README.

Starts the parts of that demo's stack that the dashboard needs, and leaves a stack that runs already running. The
pictures are the simulated ones of the demo, and the verdicts are those of its models. Needs Chromium and Playwright,
which the tests of the dashboard use.
"""

import io
import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from playwright.sync_api import Browser, Page, TimeoutError, expect, sync_playwright

from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.context import SESSION_COOKIE
from uncia.dashboard.web.server import address as dashboard_address
from uncia.dashboard.web.server import open_services
from uncia.errors import StackError, UnciaError
from uncia.infra.local.install_browser import chromium, missing
from uncia.infra.local.stack import Stack
from uncia.terminal import echo

__all__ = ["MAX_BYTES", "compressed", "photograph_live_page"]

MAX_BYTES = 300_000
"""The picture is in the repository."""

_ACCOUNT = "ranger"
_LISTED = 24
"""Bursts on the live page when it is opened."""
_WAIT_MS = 60_000
_SIZE = (1280, 1000)
_QUALITIES = (92, 88, 84, 80, 75, 70, 60, 50)


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the demo.")] = Path(".local/demo"),
    out: Annotated[Path, typer.Option(help="The JPEG file.")] = Path("docs/images/dashboard.jpg"),
) -> None:
    """Photograph the live page of the last demo."""
    if lacking := missing():
        raise StackError(lacking)
    if not (folder / "bursts.jsonl").is_file():
        raise StackError(f"there is no finished demo in {folder}: run `make demo` first")
    if not (folder / "photographs").is_dir():
        raise StackError(f"the demo in {folder} was one of your own photographs: run `make demo` without IMAGES first")
    with _running(Stack(folder / "stack")) as stack, sync_playwright() as playwright:
        address, cookie = _signed_in(stack)
        # Root needs --no-sandbox; the pages are our own.
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            taken = photograph_live_page(browser, address, cookie, _revisions(folder / "bursts.jsonl"))
        except TimeoutError as error:
            raise StackError(f"the live page did not show all bursts within {_WAIT_MS // 1000} s") from error
        picture = compressed(taken)
        browser.close()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(picture)
    echo(f"{out}: {len(picture) / 1000:.0f} KB")


@contextmanager
def _running(stack: Stack) -> Iterator[Stack]:
    """The stack with its dashboard; stopped afterwards unless it ran before."""
    ran = bool(stack.is_supervised())
    stack.up(["dashboard"])
    try:
        yield stack
    finally:
        if not ran:
            stack.down()


def _signed_in(stack: Stack) -> tuple[str, str]:
    """The address of the stack's dashboard, and the cookie of a session."""
    settings = stack.settings()
    services = open_services(settings)
    try:
        account = services.accounts.by_name(_ACCOUNT)
        account = account or services.accounts.create(_ACCOUNT, secrets.token_urlsafe(24), Role.REVIEWER)
        return dashboard_address(settings), services.accounts.start_session(account.id)
    finally:
        services.close()


def _revisions(path: Path) -> dict[str, int]:
    """The last revision of each burst that the page lists."""
    bursts = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    found = {burst["burst_id"]: burst["revision"] for burst in bursts if burst["status"] != "superseded"}
    if len(found) > _LISTED:
        raise StackError(f"the demo has more than {_LISTED} bursts: run `make demo` without options first")
    return found


def photograph_live_page(browser: Browser, address: str, cookie: str, revisions: dict[str, int]) -> bytes:
    """A PNG of the live page, as soon as it shows these revisions of bursts and all pictures on it are loaded."""
    context = browser.new_context(viewport={"width": _SIZE[0], "height": _SIZE[1]}, color_scheme="light")
    context.add_cookies([{"name": SESSION_COOKIE, "value": cookie, "url": address}])
    page = context.new_page()
    page.set_default_timeout(_WAIT_MS)
    page.goto(address)
    # The catalogue may still fold the topics; the page shows each burst as it comes.
    page.wait_for_function(
        "(all) => Object.entries(all).every(([id, revision]) =>"
        " Number(document.getElementById(`burst-${id}`)?.dataset.revision) >= revision)",
        arg=revisions,
    )
    _show_an_animal(page)
    expect(page.locator("#pipeline")).to_contain_text("predict", timeout=_WAIT_MS)
    # The page replaces a picture that it could not load by a reason.
    page.wait_for_function(
        "() => { const shown = [...document.querySelectorAll('#hero img, #feed img')]"
        ".filter((image) => image.getBoundingClientRect().top < innerHeight);"
        " return document.querySelector('#hero .stage img')"
        " && shown.every((image) => image.complete && image.naturalWidth); }"
    )
    taken = page.screenshot(animations="disabled")
    context.close()
    return taken


def _show_an_animal(page: Page) -> None:
    """Choose the newest burst with an animal, where there is one."""
    animals = page.locator("#feed [data-burst]:has(.verdict.tone-animal)")
    hero = page.locator("#hero")
    burst = (animals.first.get_attribute("data-burst") or "") if animals.count() else ""
    # The picture of the burst that is already large is a link to its page.
    if burst and hero.get_attribute("data-burst") != burst:
        animals.first.locator(".cover").click()
        expect(hero).to_have_attribute("data-burst", burst, timeout=_WAIT_MS)


def compressed(png: bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """The picture as JPEG, in the best quality that has at most this many bytes. Raises `StackError`.

    The photographs on it are noisy: as PNG it would have a megabyte.
    """
    with Image.open(io.BytesIO(png)) as image:
        rgb = image.convert("RGB")
    for quality in _QUALITIES:
        out = io.BytesIO()
        # Text needs colours of full resolution.
        rgb.save(out, "JPEG", quality=quality, subsampling=0, optimize=True, progressive=True)
        if out.tell() <= max_bytes:
            return out.getvalue()
    raise StackError(f"the picture has more than {max_bytes / 1000:.0f} KB even at quality {_QUALITIES[-1]}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except UnciaError as error:
        sys.exit(f"uncia: {error}")
