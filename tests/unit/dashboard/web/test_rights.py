"""Every address of the dashboard, and the right that it requires: one table. A new address has to be added here."""

from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from uncia.dashboard.web.accounts.roles import Caller, Right, Role
from uncia.dashboard.web.app import create_app
from uncia.dashboard.web.services import Services


def routes(services: Services) -> dict[str, Right | None]:
    """The required right by method and path; None for addresses that anybody may open."""
    return {
        f"{method} {route.path}": right_of(route.dependant)
        for included in create_app(services).routes
        for route in getattr(getattr(included, "original_router", None), "routes", [included])
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    }


def right_of(dependant: Dependant) -> Right | None:
    found = set(_rights(dependant))
    assert len(found) <= 1, dependant
    return next(iter(found), None)


def _rights(dependant: Dependant) -> Iterator[Right]:
    if (right := getattr(dependant.call, "right", None)) is not None:
        yield right
    for part in dependant.dependencies:
        yield from _rights(part)


RIGHTS: dict[str, Right | None] = {
    "GET /link/{secret}": None,
    "GET /sign-in": None,
    "POST /link/{secret}": None,
    "POST /sign-in": None,
    "GET /accounts": Right.ADMINISTER,
    "GET /accounts.json": Right.ADMINISTER,
    "POST /accounts/links": Right.ADMINISTER,
    "POST /accounts/{account_id}": Right.ADMINISTER,
    "POST /accounts/{account_id}/delete": Right.ADMINISTER,
    "POST /accounts/{account_id}/link": Right.ADMINISTER,
    "GET /alerts/rules": Right.OPERATE,
    "GET /alerts/rules.json": Right.OPERATE,
    "POST /alerts/rules": Right.OPERATE,
    "GET /operations": Right.OPERATE,
    "GET /operations.json": Right.OPERATE,
    "GET /operations/dead-letters/{letter}": Right.OPERATE,
    "GET /operations/dead-letters/{letter}.json": Right.OPERATE,
    "GET /operations/replays/{name}": Right.OPERATE,
    "GET /operations/replays/{name}.json": Right.OPERATE,
    "GET /operations/replays/{name}/page.html": Right.OPERATE,
    "POST /operations/dead-letters": Right.OPERATE,
    "POST /operations/models": Right.OPERATE,
    "POST /operations/replays/{name}/drop": Right.OPERATE,
    "POST /operations/replays/{name}/promote": Right.OPERATE,
    "POST /alerts/mutes": Right.HANDLE_ALERTS,
    "POST /alerts/mutes/end": Right.HANDLE_ALERTS,
    "POST /alerts/{alert_id}/acknowledge": Right.HANDLE_ALERTS,
    "POST /alerts/{alert_id}/unacknowledge": Right.HANDLE_ALERTS,
    "GET /alike": Right.REVIEW,
    "GET /alike.json": Right.REVIEW,
    "GET /review": Right.REVIEW,
    "GET /review.json": Right.REVIEW,
    "POST /bursts/{burst_id}/favourite.json": Right.REVIEW,
    "POST /bursts/{burst_id}/frames/{image_id}/explain": Right.REVIEW,
    "POST /bursts/{burst_id}/frames/{image_id}/fetch": Right.REVIEW,
    "GET /individuals/review": Right.REVIEW,
    "GET /individuals/review.json": Right.REVIEW,
    "POST /individuals/decisions.json": Right.REVIEW,
    "POST /individuals/queue.json": Right.REVIEW,
    "POST /individuals/release.json": Right.REVIEW,
    "POST /individuals/{individual_id}/merge": Right.REVIEW,
    "POST /individuals/{individual_id}/names": Right.REVIEW,
    "POST /individuals/{individual_id}/split": Right.REVIEW,
    "POST /individuals/{individual_id}/undo": Right.REVIEW,
    "POST /review/bulk.json": Right.REVIEW,
    "POST /review/decisions.json": Right.REVIEW,
    "POST /review/keys.json": Right.REVIEW,
    "POST /review/queue.json": Right.REVIEW,
    "POST /review/release.json": Right.REVIEW,
    "GET /sounds/{call_id}/call.wav": Right.PEOPLE,
    "GET /": Right.VIEW,
    "GET /account": Right.VIEW,
    "GET /alerts": Right.VIEW,
    "GET /alerts.json": Right.VIEW,
    "GET /alerts/stream": Right.VIEW,
    "GET /alerts/{alert_id}": Right.VIEW,
    "GET /alerts/{alert_id}.json": Right.VIEW,
    "GET /account.json": Right.VIEW,
    "GET /browse": Right.VIEW,
    "GET /browse.json": Right.VIEW,
    "GET /bursts/{burst_id}": Right.VIEW,
    "GET /bursts/{burst_id}.json": Right.VIEW,
    "GET /events": Right.VIEW,
    "GET /events/bursts": Right.VIEW,
    "GET /export": Right.VIEW,
    "GET /export.json": Right.VIEW,
    "GET /export/{kind}": Right.VIEW,
    "GET /audit": Right.VIEW,
    "GET /audit.json": Right.VIEW,
    "GET /health": Right.VIEW,
    "GET /health.json": Right.VIEW,
    "GET /health/cameras.csv": Right.VIEW,
    "GET /health/effort.csv": Right.VIEW,
    "GET /index.json": Right.VIEW,
    "GET /individuals": Right.VIEW,
    "GET /individuals.json": Right.VIEW,
    "GET /individuals/{individual_id}": Right.VIEW,
    "GET /individuals/{individual_id}.json": Right.VIEW,
    "GET /live/hero/{burst_id}": Right.VIEW,
    "GET /live/pipeline": Right.VIEW,
    "GET /live/pipeline.json": Right.VIEW,
    "GET /live/stream": Right.VIEW,
    "GET /numbers": Right.VIEW,
    "GET /numbers.json": Right.VIEW,
    "GET /numbers/{table}.csv": Right.VIEW,
    "GET /pictures/crops/{crop_id}.jpg": Right.VIEW,
    "GET /pictures/explanations/{explanation_id}.png": Right.VIEW,
    "GET /pictures/spectrograms/{call_id}.png": Right.VIEW,
    "GET /pictures/{image_id}/{size}.jpg": Right.VIEW,
    "GET /sounds": Right.VIEW,
    "GET /sounds.json": Right.VIEW,
    "GET /sounds/{call_id}": Right.VIEW,
    "GET /sounds/{call_id}.json": Right.VIEW,
    "GET /tiles/{z}/{x}/{y}": Right.VIEW,
    "POST /account/password": Right.VIEW,
    "POST /account/tokens": Right.VIEW,
    "POST /account/tokens/{token_id}/delete": Right.VIEW,
    "POST /sign-out": Right.VIEW,
    "POST /views": Right.VIEW,
    "POST /views/{view_id}/delete": Right.VIEW,
}


def test_every_address_requires_the_right_of_the_table(services: Services) -> None:
    assert routes(services) == RIGHTS


def test_only_signing_in_requires_no_right() -> None:
    assert {path.split("/")[1] for path, right in RIGHTS.items() if right is None} == {"sign-in", "link"}


def test_what_changes_something_for_others_requires_more_than_to_view() -> None:
    own = {"account", "sign-out", "views"}
    for path, right in RIGHTS.items():
        if path.startswith("POST") and right is Right.VIEW:
            assert path.split("/")[1] in own


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.VIEWER, {Right.VIEW}),
        (Role.RANGER, {Right.VIEW, Right.HANDLE_ALERTS, Right.EXACT_POSITIONS}),
        (Role.REVIEWER, {Right.VIEW, Right.REVIEW, Right.HANDLE_ALERTS, Right.PEOPLE}),
        (
            Role.OPERATOR,
            {Right.VIEW, Right.REVIEW, Right.HANDLE_ALERTS, Right.OPERATE, Right.EXACT_POSITIONS},
        ),
        (Role.ADMIN, set(Right)),
    ],
)
def test_a_role_has_the_rights_of_the_table(role: Role, rights: set[Right]) -> None:
    caller = Caller(1, "anna", role)
    assert {right for right in Right if caller.may(right)} == rights
