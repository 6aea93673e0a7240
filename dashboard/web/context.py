"""What a request carries: who sends it, with which rights, and how its response is rendered."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from uncia.camtrap.hidden_people import HiddenPeople, hidden_people
from uncia.dashboard.catalogue.numbers import CameraPosition
from uncia.dashboard.catalogue.rows import OpenAlerts
from uncia.dashboard.web.accounts.roles import Caller, Right
from uncia.dashboard.web.services import Services
from uncia.dashboard.web.strings import TEXT

__all__ = [
    "SESSION_COOKIE",
    "Context",
    "Reviewing",
    "SeeingPeople",
    "SignInNeeded",
    "Viewing",
    "requires",
    "services_of",
    "still_valid",
    "wants_json",
]

SESSION_COOKIE = "uncia_session"
FORM_FIELD = "form_token"
FORM_HEADER = "x-form-token"
_RECHECK_S = 30.0
_ONE_VIEWING_S = 60.0


class SignInNeeded(Exception):
    """The request has no valid session; pages redirect to the sign-in, the API answers 401."""


@dataclass(frozen=True)
class Context:
    """One authenticated request."""

    request: Request
    services: Services
    caller: Caller
    form_token: str
    """What forms must send back; empty for a token of the API, which needs none."""

    def render(self, template: str, page: BaseModel | None = None, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Render a template with the page's values."""
        html = self.services.templates.render(
            template,
            page=page,
            caller=self.caller,
            form_token=self.form_token,
            here=self.request.url.path,
            query=self.request.url.query,
            open_alerts=None if self.is_fragment else self.open_alerts(),
            **values,
        )
        return HTMLResponse(html, status_code=status)

    def open_alerts(self) -> OpenAlerts | None:
        """The open alerts that the caller may see; None where the catalogue is unavailable."""
        try:
            return self.services.alerts.open(self.caller.stations)
        except DBAPIError:
            return None

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return "hx-request" in self.request.headers and "hx-history-restore-request" not in self.request.headers

    def positions(self, camera: str | None = None) -> list[CameraPosition]:
        """Where cameras stand, or one, as precisely as the account may know; exact positions are recorded."""
        exact = self.caller.may(Right.EXACT_POSITIONS)
        found = self.services.numbers.positions(exact, self.caller.stations, camera)
        if exact and found:
            self.services.audit.record_once(
                "positions_read", self.caller.name, camera or "all cameras", page=self.request.url.path
            )
        return found

    def hidden_people(self, image_id: str) -> HiddenPeople | None:
        """What of a photograph is hidden from accounts that may not see people; None: it shows none."""
        services = self.services
        return hidden_people(image_id, services.catalogue.person_evidence(image_id), services.settings.person_threshold)

    def record_people_seen(self, image_id: str, camera: str, what: str) -> None:
        """Record that the account is sent a picture with a person. Loading it again within a minute is one viewing."""
        self.services.audit.record_once(
            "people_seen", self.caller.name, f"{image_id} {what}", within_s=_ONE_VIEWING_S, camera=camera
        )

    def require_station(self, station: str) -> None:
        """Raise 404 where the caller may not see the station: its existence is not revealed either."""
        if not self.caller.may_see(station):
            raise HTTPException(404, TEXT["error.not_found"])

    def require_all_stations(self) -> None:
        """Raise 403 for an account that is limited to stations: what it asks for concerns all of them."""
        if self.caller.stations is not None:
            raise HTTPException(403, TEXT["error.not_allowed"])


def services_of(request: Request) -> Services:
    """The services of the application that handles a request."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


def wants_json(request: Request) -> bool:
    """Whether the response is JSON: by the address, or by what the client accepts."""
    if request.url.path.endswith(".json") or request.url.path.startswith(("/api/", "/events")):
        return True
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def requires(right: Right) -> Callable[[Request], Context]:
    """A dependency: the context of a request whose sender has the right. Otherwise raises `SignInNeeded` or 403.

    Its attribute `right` is for the table of all addresses and their rights, which a test checks.
    """

    def context(request: Request) -> Context:
        services = services_of(request)
        found = _identify(request, services)
        if found is None:
            raise SignInNeeded
        caller, form_token = found
        if not caller.may(right):
            raise HTTPException(403, TEXT["error.not_allowed"])
        return Context(request, services, caller, form_token)

    context.right = right  # type: ignore[attr-defined]
    return context


def changes(right: Right) -> Callable[[Request], Any]:
    """As `requires`, for requests that change something: those of a browser must send their session's form token."""
    identify = requires(right)

    async def context(request: Request) -> Context:
        # Reads the database, which is local and takes well below a millisecond.
        found = identify(request)
        if found.form_token and not await _has_token(request, found.form_token):
            raise HTTPException(403, TEXT["error.form_expired"])
        return found

    context.right = right  # type: ignore[attr-defined]
    return context


async def _has_token(request: Request, expected: str) -> bool:
    sent = request.headers.get(FORM_HEADER, "")
    if not sent and request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        value = (await request.form()).get(FORM_FIELD, "")
        sent = value if isinstance(value, str) else ""
    return secrets.compare_digest(sent.encode(errors="replace"), expected.encode())


def _identify(request: Request, services: Services) -> tuple[Caller, str] | None:
    """Caller and form token, by API token, by proxy, or by session cookie."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        account = services.accounts.by_token(secret.strip())
        return (account.caller(), "") if account else None
    if (name := _proxy_user(request, services)) and (account := services.accounts.by_proxy(name)):
        return account.caller(), services.proxy_form_token(account.name)
    cookie = request.cookies.get(SESSION_COOKIE, "")
    session = services.accounts.session(cookie) if cookie else None
    return (session.caller, session.form_token) if session else None


def still_valid(context: Context) -> Callable[[], Awaitable[bool]]:
    """A check for streams: whether their sender still has the rights with which they began.

    It looks every half minute, and only when it is asked. A client whose rights have changed reconnects.
    """
    checked = time.monotonic()

    async def valid() -> bool:
        nonlocal checked
        if time.monotonic() - checked < _RECHECK_S:
            return True
        checked = time.monotonic()
        found = await asyncio.to_thread(_identify, context.request, context.services)
        return found is not None and found[0] == context.caller

    return valid


def _proxy_user(request: Request, services: Services) -> str:
    """The user that a trusted proxy has signed in; empty without the proxy's secret."""
    secret = services.settings.dashboard_proxy_secret
    sent = request.headers.get("x-uncia-proxy-secret", "")
    if secret is None or not secrets.compare_digest(sent.encode(), secret.get_secret_value().encode()):
        return ""
    return request.headers.get("x-forwarded-user", "")


def sign_in_address(request: Request) -> str:
    """The address of the sign-in that returns to this request's page."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/sign-in" if target == "/" else f"/sign-in?next={quote(target, safe='')}"


def json_error(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An error of the API, in the form that FastAPI's own have."""
    return JSONResponse({"detail": detail}, status_code=status, headers=headers)


Viewing = Annotated[Context, Depends(requires(Right.VIEW))]
"""A request to read, by any role."""

Operating = Annotated[Context, Depends(requires(Right.OPERATE))]
Administering = Annotated[Context, Depends(requires(Right.ADMINISTER))]
Reviewing = Annotated[Context, Depends(requires(Right.REVIEW))]
SeeingPeople = Annotated[Context, Depends(requires(Right.PEOPLE))]

ViewerChanges = Annotated[Context, Depends(changes(Right.VIEW))]
"""A request by which any role changes something of its own, such as a saved view."""
ReviewerChanges = Annotated[Context, Depends(changes(Right.REVIEW))]
AlertChanges = Annotated[Context, Depends(changes(Right.HANDLE_ALERTS))]
OperatorChanges = Annotated[Context, Depends(changes(Right.OPERATE))]
AdminChanges = Annotated[Context, Depends(changes(Right.ADMINISTER))]
