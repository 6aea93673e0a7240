"""Composes the application: middleware, routes, error pages, static files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from uncia import __version__
from uncia.dashboard.web.context import SignInNeeded, json_error, services_of, sign_in_address, wants_json
from uncia.dashboard.web.labels import filter_label
from uncia.dashboard.web.pages import (
    account,
    accounts,
    alert_rules,
    alerts,
    alike,
    audit,
    browse,
    burst,
    events,
    export,
    health,
    individuals,
    live,
    numbers,
    operations,
    pictures,
    replays,
    review,
    sign_in,
    sounds,
    tiles,
)
from uncia.dashboard.web.security import SameOriginOnly, SecurityHeaders
from uncia.dashboard.web.services import Services
from uncia.dashboard.web.strings import TEXT, text
from uncia.dashboard.web.templating import STATIC
from uncia.errors import DependencyDown, PermanentError, UnciaError

__all__ = ["create_app"]

log = structlog.get_logger(__name__)

_MAX_BODY_BYTES = 512 * 1024
"""A decision with hundreds of boxes has 30 KB; a body is read before it is known who sends it."""

_FOREVER = "public, max-age=31536000, immutable"

_DESCRIPTION = """
Every page of the dashboard has a twin in JSON: its address with `.json`. Programs send a token, which a person creates
on the page of their account, as `Authorization: Bearer …`, and read what that account may read.
"""


def create_app(services: Services) -> FastAPI:
    """The application, for an ASGI server."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        feed = asyncio.create_task(services.feed.run())
        for cache in (services.columns, services.history):
            cache.start()
        yield
        for cache in (services.columns, services.history):
            await asyncio.to_thread(cache.stop)
        feed.cancel()
        with suppress(asyncio.CancelledError):
            await feed

    app = FastAPI(
        title="Uncia",
        description=_DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        max_body_size=_MAX_BODY_BYTES,
        openapi_url="/api/openapi.json",
        # Their pages load scripts from a content delivery network.
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    for pages in (
        sign_in,
        account,
        accounts,
        live,
        alert_rules,
        alerts,
        browse,
        alike,
        burst,
        pictures,
        review,
        individuals,
        sounds,
        health,
        numbers,
        audit,
        operations,
        export,
        events,
        replays,
        tiles,
    ):
        app.include_router(pages.router)
    app.mount("/static", ForeverFiles(directory=STATIC), name="static")
    app.mount("/assets", ForeverFiles(directory=services.settings.dashboard_assets, check_dir=False), name="assets")
    app.add_exception_handler(SignInNeeded, _sign_in_needed)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UnciaError, _uncia_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_middleware(SameOriginOnly)
    app.add_middleware(SecurityHeaders)
    return app


class ForeverFiles(StaticFiles):
    """Static files; those whose address has a digest are cached by browsers without revalidation."""

    def file_response(self, *arguments: object, **values: object) -> Response:
        """The file, with its caching."""
        response = super().file_response(*arguments, **values)  # type: ignore[arg-type]
        scope = next(value for value in (*arguments, *values.values()) if isinstance(value, dict))
        response.headers["cache-control"] = _FOREVER if scope.get("query_string") else "no-cache"
        return response


def _sign_in_needed(request: Request, _error: Exception) -> Response:
    if wants_json(request):
        return json_error(401, TEXT["refused.token"], {"www-authenticate": "Bearer"})
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
    return RedirectResponse(sign_in_address(request), status_code=303)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = TEXT["error.not_found"] if error.status_code == 404 else str(error.detail)
    return error_response(request, error.status_code, detail, dict(error.headers or {}))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    by_label = not wants_json(request)
    problems = "; ".join(_problem(one, by_label) for one in error.errors()[:5])
    return error_response(request, 422, problems)


def _problem(found: dict[str, Any], by_label: bool) -> str:
    """What of a request is invalid, and why: for people by the label of the field, for programs by its path."""
    loc, message = found["loc"], found["msg"]
    if not by_label or len(loc) < 2:
        return f"{'.'.join(map(str, loc[1:]))}: {message}"
    if found["type"] == "string_pattern_mismatch":
        message = text("refused.pattern", value=str(found.get("input"))[:100])
    return f"{filter_label(str(loc[1]))}: {message}"


def _uncia_error(request: Request, error: Exception) -> Response:
    if isinstance(error, DependencyDown):
        return error_response(request, 503, text("error.unavailable", reason=str(error)), {"retry-after": "5"})
    return error_response(request, 404 if isinstance(error, PermanentError) else 409, str(error))


def _database_error(request: Request, error: Exception) -> Response:
    # The statement and its parameters are for the log, not for the page.
    cause = getattr(error, "orig", None) or type(error).__name__
    log.warning("database_failed", path=request.url.path, error=str(cause))
    return error_response(request, 503, text("error.unavailable", reason=TEXT["error.database"]), {"retry-after": "5"})


def error_response(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An error as a page, as JSON, or as one line for htmx."""
    if wants_json(request):
        return json_error(status, detail, headers)
    html = services_of(request).templates.render("error.html.j2", status=status, detail=detail, caller=None)
    return Response(html, status, headers, "text/html; charset=utf-8")
