"""Signing in and out, and one-time links."""

import math
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from uncia.dashboard.web.accounts.passwords import PasswordTooWeak
from uncia.dashboard.web.accounts.store import Account, AccountRefused, SignInBlocked
from uncia.dashboard.web.context import FORM_FIELD, SESSION_COOKIE, ViewerChanges, services_of
from uncia.dashboard.web.strings import TEXT, text

router = APIRouter(include_in_schema=False)

_FORM_COOKIE = "uncia_form"
"""Before the sign-in there is no session: the form must send back what this cookie holds, which no other site can
read."""

FormToken = Annotated[str, Form(alias=FORM_FIELD)]


@router.get("/sign-in", response_class=HTMLResponse)
def show_sign_in(request: Request, next: str = "/") -> Response:
    """The form."""
    return _form(request, "sign_in.html.j2", next=_local(next), problem="", name="")


@router.post("/sign-in")
def sign_in(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
    form_token: FormToken = "",
) -> Response:
    """Start a session, or show the form again with the reason."""
    services, target = services_of(request), _local(next)
    if not _token_matches(request, form_token):
        return _form(request, "sign_in.html.j2", 403, next=target, problem=TEXT["error.form_expired"], name=name)
    try:
        account = services.accounts.sign_in(name, password, request.client.host if request.client else "")
    except SignInBlocked as blocked:
        problem = text("sign_in.blocked", minutes=math.ceil(blocked.retry_s / 60))
        response = _form(request, "sign_in.html.j2", 429, next=target, problem=problem, name=name)
        response.headers["retry-after"] = str(math.ceil(blocked.retry_s))
        return response
    if account is None:
        services.audit.record("sign_in_failed", name[:64], address=request.client.host if request.client else "")
        return _form(request, "sign_in.html.j2", 401, next=target, problem=TEXT["sign_in.wrong"], name=name)
    return _begin_session(request, account, target)


@router.post("/sign-out")
def sign_out(context: ViewerChanges) -> Response:
    """End the session of this browser."""
    context.services.accounts.end_session(context.request.cookies.get(SESSION_COOKIE, ""))
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@router.get("/link/{secret}", response_class=HTMLResponse)
def show_link(request: Request, secret: str) -> Response:
    """The form of a one-time link. Looking at it does not use it: mail programs open links, too."""
    valid, name = services_of(request).accounts.link_account(secret)
    if not valid:
        return _form(request, "link.html.j2", 404, valid=False, name="", secret="", problem="", typed="")
    return _form(request, "link.html.j2", valid=True, name=name, secret=secret, problem="", typed="")


@router.post("/link/{secret}")
def use_link(
    request: Request,
    secret: str,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    repeated: Annotated[str, Form()] = "",
    form_token: FormToken = "",
) -> Response:
    """Create the account, or set its password, and start a session."""
    services = services_of(request)
    valid, known = services.accounts.link_account(secret)
    problem = ""
    if not _token_matches(request, form_token):
        problem = TEXT["error.form_expired"]
    elif password != repeated:
        problem = TEXT["link.differ"]
    else:
        try:
            account = services.accounts.use_link(secret, name, password)
            services.first_link_file.unlink(missing_ok=True)
            return _begin_session(request, account, "/")
        except (AccountRefused, PasswordTooWeak) as refused:
            problem = str(refused)
    return _form(request, "link.html.j2", 422, valid=valid, name=known, secret=secret, problem=problem, typed=name)


def _begin_session(request: Request, account: Account, target: str) -> Response:
    services = services_of(request)
    cookie = services.accounts.start_session(account.id, request.headers.get("user-agent", ""))
    services.audit.record("signed_in", account.name, address=request.client.host if request.client else "")
    response = RedirectResponse(target, status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        cookie,
        max_age=int(services.settings.dashboard_session_hours * 3600),
        httponly=True,
        samesite="lax",
        secure=services.settings.dashboard_secure_cookies,
        path="/",
    )
    response.delete_cookie(_FORM_COOKIE, path="/")
    return response


def _form(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """Render a form for a browser without a session, with a token that its cookie repeats."""
    services = services_of(request)
    token = request.cookies.get(_FORM_COOKIE) or secrets.token_urlsafe(24)
    html = services.templates.render(template, caller=None, form_token=token, **values)
    response = HTMLResponse(html, status_code=status)
    response.set_cookie(
        _FORM_COOKIE,
        token,
        max_age=3600,
        httponly=True,
        samesite="strict",
        secure=services.settings.dashboard_secure_cookies,
        path="/",
    )
    return response


def _token_matches(request: Request, sent: str) -> bool:
    expected = request.cookies.get(_FORM_COOKIE, "")
    return bool(expected) and secrets.compare_digest(sent.encode(errors="replace"), expected.encode(errors="replace"))


def _local(address: str) -> str:
    """The address where it is one of ours, otherwise the first page: a link must not lead to another site."""
    parts = urlsplit(address)
    local = (
        address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc and address.isprintable()
    )
    return address if local and "\\" not in address else "/"
