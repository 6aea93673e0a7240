"""The file of alert rules: check a text, try it on the past, and save it."""

from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Form, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel

from uncia.dashboard.web.context import Context, Operating, OperatorChanges
from uncia.dashboard.web.operations import CheckedRules, RulePreview, RuleText
from uncia.dashboard.web.page_route import page
from uncia.errors import UnciaError

router = APIRouter(tags=["alerts"])

log = structlog.get_logger(__name__)

_MOST_CHARACTERS = 100_000
_DAYS = 30
_MOST_DAYS = 365


class AlertRulesPage(BaseModel):
    """The file of rules, or a text that was sent to be checked."""

    path: str = ""
    text: str = ""
    fingerprint: str = ""
    """Of the file that the text was made from."""
    days: int = _DAYS
    checked: CheckedRules | None = None
    preview: RulePreview | None = None
    problem: str | None = None
    saved: bool = False


@page(router, "/alerts/rules", "alert_rules.html.j2")
def show_rules(context: Operating, saved: Annotated[bool, Query(include_in_schema=False)] = False) -> AlertRulesPage:
    """The file of `UNCIA_ALERT_RULES` as it is, and its mistakes."""
    context.require_all_stations()
    rules = context.services.operations.rules
    try:
        found = rules.read()
        return _page(found, found.text).model_copy(update={"checked": rules.check(found.text), "saved": saved})
    except UnciaError as error:
        return AlertRulesPage(problem=str(error))


@router.post("/alerts/rules", include_in_schema=False, response_class=HTMLResponse)
def change_rules(
    context: OperatorChanges,
    action: Annotated[Literal["check", "preview", "save"], Form()],
    text: Annotated[str, Form(max_length=_MOST_CHARACTERS)] = "",
    fingerprint: Annotated[str, Form(max_length=100)] = "",
    days: Annotated[int, Form(ge=1, le=_MOST_DAYS)] = _DAYS,
) -> Response:
    """Check a text, preview what it would have raised, or save it."""
    context.require_all_stations()
    rules = context.services.operations.rules
    # Browsers send the lines of a text area with carriage returns.
    text = text.replace("\r\n", "\n")
    shown = AlertRulesPage(text=text, fingerprint=fingerprint, days=days)
    try:
        path = rules.read().path
        shown = shown.model_copy(update={"path": path})
        checked = rules.check(text)
        shown = shown.model_copy(update={"checked": checked})
        if checked.mistakes:
            return _answer(context, shown, 422)
        if action == "preview":
            shown = shown.model_copy(update={"preview": rules.preview(text, days)})
        if action == "save":
            after = rules.save(text, fingerprint)
            caller = context.caller.name
            context.services.audit.record("alert_rules_saved", caller, path, before=fingerprint, after=after)
            log.info("alert_rules_saved", account=caller, path=path, before=fingerprint, after=after)
            return RedirectResponse("/alerts/rules?saved=true", status_code=303)
    except UnciaError as error:
        return _answer(context, shown.model_copy(update={"problem": str(error)}), 409)
    return _answer(context, shown, 200)


def _page(found: RuleText, text: str) -> AlertRulesPage:
    return AlertRulesPage(path=found.path, text=text, fingerprint=found.fingerprint)


def _answer(context: Context, shown: AlertRulesPage, status: int) -> Response:
    return context.render("alert_rules.html.j2", shown, status=status)
