"""The page of one's own account: password and tokens."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel

from uncia.dashboard.web.accounts.passwords import PasswordTooWeak
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.accounts.store import SignInBlocked
from uncia.dashboard.web.context import SESSION_COOKIE, Context, ViewerChanges, Viewing
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.strings import TEXT

router = APIRouter(tags=["account"])


class TokenRow(BaseModel):
    """A token, without its secret."""

    id: int
    label: str
    created_at: datetime
    used_at: datetime | None


class AccountPage(BaseModel):
    """One's own account."""

    name: str
    role: Role
    stations: tuple[str, ...] | None
    """None: all stations."""
    tokens: list[TokenRow]


@page(router, "/account", "account.html.j2")
def show_account(context: Viewing) -> AccountPage:
    """The account that sends the request: its role, stations and tokens."""
    return _page(context)


@router.post("/account/tokens", include_in_schema=False, response_class=HTMLResponse)
def create_token(context: ViewerChanges, label: Annotated[str, Form()] = "") -> Response:
    """Create a token and show it, once."""
    secret = context.services.accounts.create_token(context.caller.account_id, label.strip() or "token")
    return context.render("account.html.j2", _page(context), secret=secret)


@router.post("/account/tokens/{token_id}/delete", include_in_schema=False)
def delete_token(context: ViewerChanges, token_id: int) -> Response:
    """Delete a token."""
    context.services.accounts.delete_token(context.caller.account_id, token_id)
    return RedirectResponse("/account", status_code=303)


@router.post("/account/password", include_in_schema=False, response_class=HTMLResponse)
def change_password(
    context: ViewerChanges, current: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    """Change the password, which ends all sessions of the account."""
    accounts, caller = context.services.accounts, context.caller
    address = context.request.client.host if context.request.client else ""
    try:
        if accounts.sign_in(caller.name, current, address) is None:
            return context.render("account.html.j2", _page(context), status=422, problem=TEXT["sign_in.wrong"])
        accounts.set_password(caller.account_id, password)
    except (PasswordTooWeak, SignInBlocked) as error:
        return context.render("account.html.j2", _page(context), status=422, problem=str(error))
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


def _page(context: Context) -> AccountPage:
    caller = context.caller
    tokens = [
        TokenRow(
            id=token.id,
            label=token.label,
            created_at=datetime.fromtimestamp(token.created_at, UTC),
            used_at=datetime.fromtimestamp(token.used_at, UTC) if token.used_at else None,
        )
        for token in context.services.accounts.tokens(caller.account_id)
    ]
    return AccountPage(name=caller.name, role=caller.role, stations=caller.stations, tokens=tokens)
