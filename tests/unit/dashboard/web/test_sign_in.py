"""Signing in: passwords, sessions, links, limits, and requests of other sites."""

import json

import pytest
from fastapi.testclient import TestClient

from tests.unit.dashboard.web.conftest import PASSWORD, SignIn, form_token
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.accounts.store import AccountRefused
from uncia.dashboard.web.services import Services


def test_without_a_session_a_page_leads_to_the_sign_in_and_back(client: TestClient, services: Services) -> None:
    services.accounts.create("ada", PASSWORD, Role.ADMIN)
    response = client.get("/accounts?a=1")
    assert response.status_code == 303
    assert response.headers["location"] == "/sign-in?next=%2Faccounts%3Fa%3D1"
    page = client.get(response.headers["location"])
    answer = client.post(
        "/sign-in",
        data={"name": "Ada", "password": PASSWORD, "next": "/accounts?a=1", "form_token": form_token(page.text)},
    )
    assert answer.headers["location"] == "/accounts?a=1"
    assert client.get("/accounts").status_code == 200


def test_without_a_session_the_twin_of_a_page_answers_401(client: TestClient) -> None:
    response = client.get("/account.json")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert client.get("/account", headers={"accept": "application/json"}).status_code == 401


@pytest.mark.parametrize(
    "address",
    ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "\t//evil.example"],
)
def test_a_sign_in_never_leads_to_another_site(client: TestClient, services: Services, address: str) -> None:
    services.accounts.create("ada", PASSWORD, Role.VIEWER)
    page = client.get("/sign-in")
    form = {"name": "ada", "password": PASSWORD, "next": address, "form_token": form_token(page.text)}
    assert client.post("/sign-in", data=form).headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_name_read_alike(client: TestClient, services: Services) -> None:
    services.accounts.create("ada", PASSWORD, Role.VIEWER)
    pages = []
    for name in ("ada", "eve"):
        token = form_token(client.get("/sign-in").text)
        response = client.post("/sign-in", data={"name": name, "password": "not this one", "form_token": token})
        assert response.status_code == 401
        pages.append(response.text.replace(f'value="{name}"', ""))
    assert pages[0] == pages[1]


def test_guessing_is_limited_by_name_also_with_the_right_password(client: TestClient, services: Services) -> None:
    services.accounts.create("ada", PASSWORD, Role.VIEWER)
    token = form_token(client.get("/sign-in").text)
    for _ in range(8):
        wrong = client.post("/sign-in", data={"name": "ada", "password": "not this one", "form_token": token})
        assert wrong.status_code == 401
    blocked = client.post("/sign-in", data={"name": "ADA ", "password": PASSWORD, "form_token": token})
    assert blocked.status_code == 429
    assert int(blocked.headers["retry-after"]) > 60


def test_a_sign_in_without_the_token_of_its_form_is_refused(client: TestClient, services: Services) -> None:
    services.accounts.create("ada", PASSWORD, Role.VIEWER)
    assert client.post("/sign-in", data={"name": "ada", "password": PASSWORD}).status_code == 403


def test_a_form_without_the_token_of_its_session_is_refused(sign_in: SignIn, services: Services) -> None:
    admin = sign_in(Role.ADMIN)
    assert admin.post("/accounts/links", data={"role": "admin"}).status_code == 403
    assert admin.post("/accounts/links", data={"role": "admin", "form_token": "wrong"}).status_code == 403
    token = form_token(admin.get("/accounts").text)
    assert admin.post("/accounts/links", data={"role": "admin", "form_token": token}).status_code == 200
    assert admin.post("/accounts/links", data={"role": "viewer"}, headers={"x-form-token": token}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_request_of_another_site_changes_nothing(sign_in: SignIn, headers: dict[str, str]) -> None:
    admin = sign_in(Role.ADMIN)
    token = form_token(admin.get("/accounts").text)
    response = admin.post("/accounts/links", data={"form_token": token}, headers=headers)
    assert response.status_code == 403
    assert "another site" in response.text


def test_the_first_link_creates_an_admin_once(client: TestClient, services: Services) -> None:
    secret = services.accounts.create_link(role=Role.ADMIN)
    page = client.get(f"/link/{secret}")
    form = {"name": "ada", "password": PASSWORD, "repeated": PASSWORD, "form_token": form_token(page.text)}
    assert client.post(f"/link/{secret}", data={**form, "repeated": "another"}).status_code == 422
    assert client.post(f"/link/{secret}", data={**form, "password": "short", "repeated": "short"}).status_code == 422
    assert client.post(f"/link/{secret}", data=form).headers["location"] == "/"
    assert client.get("/account.json").json()["role"] == "admin"
    assert client.get(f"/link/{secret}").status_code == 404


def test_a_refused_name_leaves_the_link_valid(services: Services) -> None:
    services.accounts.create("ada", PASSWORD, Role.ADMIN)
    secret = services.accounts.create_link(role=Role.VIEWER, stations=["ridge"])
    for name in ("Ada", "", "x" * 65, "a\x1b[31mred"):
        with pytest.raises(AccountRefused):
            services.accounts.use_link(secret, name, PASSWORD)
    assert services.accounts.use_link(secret, "eve", PASSWORD).stations == ("ridge",)


def test_signing_out_ends_the_session_also_for_a_copied_cookie(sign_in: SignIn) -> None:
    viewer = sign_in()
    cookie = viewer.cookies["uncia_session"]
    token = form_token(viewer.get("/account").text)
    assert viewer.post("/sign-out", data={"form_token": token}).status_code == 303
    viewer.cookies.set("uncia_session", cookie)
    assert viewer.get("/account.json").status_code == 401


def test_a_disabled_account_is_out_at_once(sign_in: SignIn, services: Services) -> None:
    sign_in(Role.ADMIN)
    viewer = sign_in()
    account = services.accounts.by_name("viewer")
    assert account is not None
    services.accounts.change(account.id, role=Role.VIEWER, stations=None, disabled=True)
    assert viewer.get("/account.json").status_code == 401


def test_the_last_admin_cannot_be_removed(sign_in: SignIn, services: Services) -> None:
    admin = sign_in(Role.ADMIN)
    token = form_token(admin.get("/accounts").text)
    account = services.accounts.by_name("admin")
    assert account is not None
    for action, form in (("", {"role": "viewer"}), ("", {"role": "admin", "disabled": "true"}), ("/delete", {})):
        response = admin.post(f"/accounts/{account.id}{action}", data={**form, "form_token": token})
        assert response.status_code == 422
        assert "at least one admin" in response.text
    assert admin.get("/accounts").status_code == 200


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER, Role.OPERATOR])
def test_only_admins_see_accounts(sign_in: SignIn, role: Role) -> None:
    client = sign_in(role)
    assert client.get("/accounts").status_code == 403
    assert client.get("/accounts.json").status_code == 403


def test_a_token_reads_what_its_account_may_read(sign_in: SignIn, client: TestClient) -> None:
    viewer = sign_in(Role.VIEWER, ["ridge"])
    token = form_token(viewer.get("/account").text)
    page = viewer.post("/account/tokens", data={"label": "map", "form_token": token}).text
    secret = page.partition('<code class="secret">')[2].partition("<")[0]
    bearer = {"authorization": f"Bearer {secret}"}
    answer = client.get("/account.json", headers=bearer).json()
    assert answer["stations"] == ["ridge"]
    assert secret not in json.dumps(answer)
    assert client.get("/accounts.json", headers=bearer).status_code == 403
    assert client.get("/account.json", headers={"authorization": "Bearer uncia_wrong"}).status_code == 401
    assert viewer.post(f"/account/tokens/{answer['tokens'][0]['id']}/delete", data={"form_token": token})
    assert client.get("/account.json", headers=bearer).status_code == 401


def test_headers_of_a_proxy_count_only_with_its_secret(services: Services, client: TestClient) -> None:
    services.accounts.create("ada", None, Role.VIEWER)
    user = {"x-forwarded-user": "ada"}
    assert client.get("/account.json", headers={**user, "x-uncia-proxy-secret": ""}).status_code == 401
    services.settings = services.settings.model_copy(
        update={
            "dashboard_proxy_secret": type(services.settings)
            .model_validate({"dashboard_proxy_secret": "s3cret"})
            .dashboard_proxy_secret
        }
    )
    assert client.get("/account.json", headers={**user, "x-uncia-proxy-secret": "wrong"}).status_code == 401
    proxied = {**user, "x-uncia-proxy-secret": "s3cret"}
    assert client.get("/account.json", headers=proxied).json()["name"] == "ada"
    assert client.post("/account/tokens", data={"label": "x"}, headers=proxied).status_code == 403


def test_each_response_has_the_security_headers(client: TestClient) -> None:
    for address in ("/sign-in", "/account.json", "/nothing", "/static/uncia.css"):
        headers = client.get(address).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    assert client.get("/sign-in").headers["cache-control"] == "no-store"


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(client: TestClient, services: Services) -> None:
    services.accounts.create("ada", PASSWORD, Role.VIEWER)
    token = form_token(client.get("/sign-in").text)
    response = client.post("/sign-in", data={"name": "ada", "password": PASSWORD, "form_token": token})
    cookie = next(value for value in response.headers.get_list("set-cookie") if value.startswith("uncia_session"))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_openapi_lists_the_twins_and_no_page(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert "/account.json" in paths
    assert "/account" not in paths
    assert all(
        path.endswith((".json", ".csv")) or path.startswith(("/api/", "/events", "/export/", "/pictures/"))
        for path in paths
    )


def test_a_body_that_is_too_large_is_not_read(client: TestClient) -> None:
    response = client.post("/sign-in", content=b"x" * 600_000, headers={"content-type": "text/plain"})
    assert response.status_code == 413
