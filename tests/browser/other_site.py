"""A page of another site in real Chromium: a server on a port of its own, and the requests that its script sends."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.waiting import SCALE
from uncia.infra.local.install_browser import chromium, missing

__all__ = ["FETCH", "foreign_page", "other_site_server"]

FETCH = """async ([address, method, body, type, mode]) => {
  try {
    const headers = type ? { "Content-Type": type } : {};
    const options = { method, credentials: "include", body, headers, mode: mode || "cors" };
    const answer = await fetch(address, options);
    return [answer.status, await answer.text()];
  } catch (error) { return [0, String(error)]; }
}"""
"""Sends a request; returns the status and body that the browser shows to the page, or 0 and the error."""


class _EmptyPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another site</title><body></body>")

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@contextmanager
def other_site_server() -> Iterator[str]:
    """A server of another origin. Its port differs, and the host is the same: browsers send it the same cookies."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(SCALE * 10)
        server.server_close()


@contextmanager
def foreign_page() -> Iterator[Page]:
    """A page of the other site in a Chromium of its own. Skips the test where there is none."""
    if lacking := missing():
        pytest.skip(lacking)
    with other_site_server() as address, sync_playwright() as playwright:
        # Root needs --no-sandbox; the page is our own.
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            page = browser.new_page()
            page.goto(address)
            yield page
        finally:
            browser.close()
