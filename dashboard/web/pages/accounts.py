"""The accounts, for admins: roles, stations, links for new accounts and new passwords."""

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel

from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.accounts.store import LINK_HOURS, AccountRefused
from uncia.dashboard.web.context import AdminChanges, Administering, Context
from uncia.dashboard.web.page_route import page

router = APIRouter(tags=["accounts"])


class AccountRow(BaseModel):
    """One account."""

    id: int
    name: str
    role: Role
    stations: tuple[str, ...] | None
    disabled: bool
    has_password: bool


class AccountsPage(BaseModel):
    """All accounts."""

    accounts: list[AccountRow]


@page(router, "/accounts", "accounts.html.j2")
def show_accounts(context: Administering) -> AccountsPage:
    """All accounts, by name."""
    return _page(context)


@router.post("/accounts/links", include_in_schema=False, response_class=HTMLResponse)
def create_link(
    context: AdminChanges, role: Annotated[Role, Form()] = Role.VIEWER, stations: Annotated[str, Form()] = ""
) -> Response:
    """Create a one-time link for a new account, and show it."""
    secret = context.services.accounts.create_link(role=role, stations=_stations(stations))
    return _with_link(context, secret)


@router.post("/accounts/{account_id}/link", include_in_schema=False, response_class=HTMLResponse)
def create_password_link(context: AdminChanges, account_id: int) -> Response:
    """Create a one-time link that sets a new password."""
    return _with_link(context, context.services.accounts.create_link(account_id=account_id))


@router.post("/accounts/{account_id}", include_in_schema=False)
def change_account(
    context: AdminChanges,
    account_id: int,
    role: Annotated[Role, Form()],
    stations: Annotated[str, Form()] = "",
    disabled: Annotated[bool, Form()] = False,
) -> Response:
    """Change role, stations and state of an account."""
    accounts = context.services.accounts
    try:
        accounts.change(account_id, role=role, stations=_stations(stations), disabled=disabled)
    except AccountRefused as refused:
        return context.render("accounts.html.j2", _page(context), status=422, problem=str(refused))
    return RedirectResponse("/accounts", status_code=303)


@router.post("/accounts/{account_id}/delete", include_in_schema=False)
def delete_account(context: AdminChanges, account_id: int) -> Response:
    """Delete an account."""
    try:
        context.services.accounts.delete(account_id)
    except AccountRefused as refused:
        return context.render("accounts.html.j2", _page(context), status=422, problem=str(refused))
    return RedirectResponse("/accounts", status_code=303)


def _page(context: Context) -> AccountsPage:
    rows = [
        AccountRow(
            id=account.id,
            name=account.name,
            role=account.role,
            stations=account.stations,
            disabled=account.disabled,
            has_password=account.has_password,
        )
        for account in context.services.accounts.accounts()
    ]
    return AccountsPage(accounts=rows)


def _with_link(context: Context, secret: str) -> Response:
    link = str(context.request.url_for("show_link", secret=secret))
    return context.render("accounts.html.j2", _page(context), link=link, hours=int(LINK_HOURS))


def _stations(text: str) -> list[str] | None:
    found = [part.strip() for part in text.split(",") if part.strip()]
    return found or None
