"""The page of another site, in the browser of a person who is signed in, neither changes nor reads anything."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from structlog.testing import capture_logs

from tests.browser.conftest import PASSWORD, Site
from tests.browser.other_site import FETCH, other_site_server
from tests.waiting import SCALE
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.context import SESSION_COOKIE


@pytest.fixture
def other_site() -> Iterator[str]:
    with other_site_server() as address:
        yield address


@pytest.fixture
def stranger(browser: Browser, site: Site, other_site: str) -> Iterator[Page]:
    """A page of the other site, in a browser that is signed in to the dashboard as an administrator."""
    account = site.services.accounts.create("admin", PASSWORD, Role.ADMIN, None)
    context = browser.new_context()
    cookie = site.services.accounts.start_session(account.id)
    context.add_cookies([{"name": SESSION_COOKIE, "value": cookie, "url": site.address}])
    page = context.new_page()
    page.set_default_timeout(SCALE * 5000)
    page.goto(other_site)
    yield page
    context.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/review/decisions.json", "application/json"),
        ("/review/decisions.json", "text/plain"),
        ("/accounts", "application/x-www-form-urlencoded"),
        ("/operations/models", "application/x-www-form-urlencoded"),
        ("/sign-out", "application/x-www-form-urlencoded"),
    ],
)
def test_a_request_that_would_change_something_is_refused_and_logged(
    stranger: Page, site: Site, other_site: str, path: str, kind: str
) -> None:
    with capture_logs() as logs:
        status, body = stranger.evaluate(FETCH, [site.address + path, "POST", "{}", kind])
    # Of JSON the browser first requests whether it may send it, which is no change; it gets no permission.
    refused = [(line["path"], line["origin"]) for line in logs if line["event"] == "other_site_refused"]
    assert refused == ([] if kind == "application/json" else [(path, other_site)])
    # The browser shows the other site neither the answer nor its status.
    assert (status, "Failed to fetch" in body) == (0, True)
    assert site.services.publisher.events == []  # type: ignore[attr-defined]
    assert [account.name for account in site.services.accounts.accounts()] == ["admin"]


@pytest.mark.parametrize("path", ["/index.json", "/numbers.json", "/deployments.csv", "/account"])
def test_what_only_the_person_may_see_is_not_shown_to_the_other_site(stranger: Page, site: Site, path: str) -> None:
    assert stranger.evaluate(FETCH, [site.address + path, "GET", None, ""])[0] == 0


def test_a_form_of_the_other_site_is_answered_with_403(stranger: Page, site: Site) -> None:
    stranger.evaluate(
        """address => {
          const form = document.createElement("form");
          form.method = "post"; form.action = address;
          document.body.append(form); form.submit();
        }""",
        f"{site.address}/sign-out",
    )
    stranger.wait_for_url(f"{site.address}/**")
    assert "comes from another site" in stranger.inner_text("body")


def test_a_page_of_the_dashboard_is_not_shown_within_one_of_the_other_site(stranger: Page, site: Site) -> None:
    stranger.evaluate(
        """address => new Promise(done => {
          const frame = document.createElement("iframe");
          frame.src = address; frame.onload = done; document.body.append(frame);
        })""",
        f"{site.address}/account",
    )
    inner = stranger.frames[-1]
    assert "admin" not in inner.content()
