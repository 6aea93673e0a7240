"""Accounts, sessions, leases and saved views, on both databases."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import URL, Engine, text

from tests.unit.dashboard.catalogue.conftest import NewUrl
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.web.accounts.leases import LEASE_S, LeaseStore
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.accounts.store import AccountRefused, AccountStore, SignInBlocked
from uncia.dashboard.web.accounts.tables import AccountsError, open_accounts
from uncia.dashboard.web.accounts.views import ViewStore
from uncia.dashboard.web.server import accounts_url
from uncia.errors import SettingsError
from uncia.settings import Settings

PASSWORD = "a leopard in the snow"
HOURS = 2.0


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def url(new_url: NewUrl) -> URL:
    """The address as a person writes it, without a driver, from the settings."""
    given = new_url()
    written = given.set(drivername=given.get_backend_name()).render_as_string(hide_password=False)
    return accounts_url(Settings(_env_file=None, dashboard_accounts=SecretStr(written)))


@pytest.fixture
def engine(url: URL) -> Iterator[Engine]:
    opened = open_accounts(url)
    yield opened
    opened.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(engine: Engine, clock: Clock) -> AccountStore:
    return AccountStore(engine, session_hours=HOURS, now=clock)


@pytest.fixture
def leases(engine: Engine, clock: Clock) -> LeaseStore:
    return LeaseStore(engine, clock)


def test_a_database_that_is_opened_again_keeps_its_accounts(url: URL, accounts: AccountStore) -> None:
    accounts.create("ada", PASSWORD, Role.ADMIN)
    again = open_accounts(url)
    assert AccountStore(again, session_hours=HOURS).count() == 1
    again.dispose()


def test_processes_that_start_at_once_create_the_tables_once(url: URL) -> None:
    if url.get_backend_name() == "sqlite":
        pytest.skip("SQLite has one file, and the first start of the dashboard is one process")
    ready = threading.Barrier(4)

    def start(_: int) -> int:
        ready.wait(30)
        engine = open_accounts(url)
        count = AccountStore(engine, session_hours=HOURS).count()
        engine.dispose()
        return count

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [0] * 4


def test_names_are_unique_whatever_their_case(accounts: AccountStore) -> None:
    made = accounts.create("Ada", None, Role.REVIEWER, ["ridge", "pass", "ridge"])
    with pytest.raises(AccountRefused, match="already"):
        accounts.create("ADA", None, Role.VIEWER)
    found = accounts.by_name("ada")
    assert found == made
    assert (made.stations, made.settings, made.has_password) == (("pass", "ridge"), {}, False)
    assert [account.name for account in accounts.accounts()] == ["Ada"]


def test_settings_are_kept(accounts: AccountStore) -> None:
    made = accounts.create("ada", None, Role.REVIEWER)
    accounts.set_settings(made.id, {"keys": [{"key": "i", "label": "ibex", "taxon": None}]})
    found = accounts.account(made.id)
    assert found is not None
    assert found.settings == {"keys": [{"key": "i", "label": "ibex", "taxon": None}]}


def test_a_sign_in_needs_the_password_and_is_blocked_after_failures(accounts: AccountStore, clock: Clock) -> None:
    accounts.create("ada", PASSWORD, Role.ADMIN)
    assert accounts.sign_in("ada", "another word", "::1") is None
    signed_in = accounts.sign_in("Ada", PASSWORD, "::1")
    assert signed_in is not None
    for _ in range(8):
        assert accounts.sign_in("ada", "another word", "::1") is None
    with pytest.raises(SignInBlocked):
        accounts.sign_in("ada", PASSWORD, "::1")
    clock.now += 3600
    assert accounts.sign_in("ada", PASSWORD, "::1") is not None


def test_a_session_ends_by_itself_by_hand_and_with_its_account(accounts: AccountStore, clock: Clock) -> None:
    accounts.create("root", None, Role.ADMIN)
    made = accounts.create("ada", None, Role.VIEWER)
    cookies = [accounts.start_session(made.id, "a browser") for _ in range(2)]
    accounts.end_session(cookies[0])
    assert [accounts.session(cookie) is not None for cookie in cookies] == [False, True]
    clock.now += HOURS * 3600 + 1
    assert accounts.session(cookies[1]) is None
    cookie = accounts.start_session(made.id)
    accounts.delete(made.id)
    assert accounts.session(cookie) is None


def test_tokens_are_found_and_deleted(accounts: AccountStore) -> None:
    made = accounts.create("ada", None, Role.VIEWER)
    secret = accounts.create_token(made.id, "map")
    assert accounts.by_token(secret) == made
    (token,) = accounts.tokens(made.id)
    assert token.used_at is not None
    accounts.delete_token(made.id, token.id)
    assert accounts.by_token(secret) is None


def test_a_link_works_once_also_for_two_at_the_same_moment(accounts: AccountStore) -> None:
    secret = accounts.create_link(role=Role.VIEWER, stations=["ridge"])
    ready = threading.Barrier(2)

    def use(name: str) -> str:
        ready.wait(30)
        try:
            return accounts.use_link(secret, name, PASSWORD).name
        except AccountRefused:
            return ""

    with ThreadPoolExecutor(2) as pool:
        used = sorted(pool.map(use, ["ada", "eve"]))
    assert used[0] == ""
    assert [account.name for account in accounts.accounts()] == used[1:]


def test_the_last_admin_stays(accounts: AccountStore) -> None:
    made = accounts.create("ada", None, Role.ADMIN)
    with pytest.raises(AccountRefused, match="admin"):
        accounts.delete(made.id)
    with pytest.raises(AccountRefused, match="admin"):
        accounts.change(made.id, role=Role.VIEWER, stations=None, disabled=False)
    assert accounts.account(made.id) == made


def test_a_view_of_the_same_name_is_replaced(engine: Engine, accounts: AccountStore) -> None:
    views = ViewStore(engine)
    made = accounts.create("ada", None, Role.VIEWER)
    views.save(made.id, "cats", "taxon=Felidae&after=x")
    views.save(made.id, "cats", "taxon=Panthera+uncia")
    (view,) = views.all(made.id)
    assert view.query == "taxon=Panthera+uncia"
    views.delete(made.id, view.id)
    assert views.all(made.id) == []


def test_a_lease_ends_by_itself_and_is_renewed(accounts: AccountStore, leases: LeaseStore, clock: Clock) -> None:
    one, two = (accounts.create(name, None, Role.REVIEWER).id for name in ("one", "two"))
    assert leases.take(one, ["bst-1", "bst-2"], 2) == ["bst-1", "bst-2"]
    assert leases.take(two, ["bst-1", "bst-3"], 2) == ["bst-3"]
    clock.now += LEASE_S - 1
    assert leases.take(one, ["bst-1"], 1) == ["bst-1"]
    clock.now += 1
    assert leases.take(two, ["bst-1", "bst-2"], 2) == ["bst-2"]
    clock.now += LEASE_S
    assert leases.take(two, ["bst-1"], 1) == ["bst-1"]
    leases.release(two, ["bst-1"])
    assert leases.take(one, ["bst-1", "bst-2"], 2) == ["bst-1", "bst-2"]


def test_of_reviewers_at_the_same_moment_one_gets_each_burst(accounts: AccountStore, leases: LeaseStore) -> None:
    own = [accounts.create(f"reviewer {number}", None, Role.REVIEWER).id for number in range(5)]
    bursts = [f"bst-{number}" for number in range(6)]
    ready = threading.Barrier(len(own))

    def take(account: int) -> list[str]:
        ready.wait(30)
        return leases.take(account, bursts, 3)

    with ThreadPoolExecutor(len(own)) as pool:
        taken = [burst for found in pool.map(take, own) for burst in found]
    assert sorted(taken) == bursts


def test_a_connection_that_the_server_has_closed_is_replaced(url: URL, accounts: AccountStore) -> None:
    if url.get_backend_name() == "sqlite":
        pytest.skip("SQLite has no server")
    accounts.create("ada", None, Role.ADMIN)
    admin = open_database(url)
    with admin.begin() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        assert connection.execute(text(f"{others} AND pid <> pg_backend_pid()")).all()
    admin.dispose()
    assert accounts.count() == 1


@pytest.mark.parametrize("address", ["mysql://u:hidden@host/db", "hidden", "sqlite://"])
def test_another_kind_of_database_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(SettingsError, match="UNCIA_DASHBOARD_ACCOUNTS") as caught:
        accounts_url(Settings(_env_file=None, dashboard_accounts=SecretStr(address)))
    assert "hidden" not in str(caught.value)


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    given = SecretStr("postgresql://ann:hidden@127.0.0.1:1/uncia")
    with pytest.raises(AccountsError, match="UNCIA_DASHBOARD_ACCOUNTS") as caught:
        open_accounts(accounts_url(Settings(_env_file=None, dashboard_accounts=given)))
    assert "hidden" not in str(caught.value)
    own = accounts_url(Settings(_env_file=None, dashboard_dir=tmp_path, dashboard_accounts=""))
    assert own.database == f"{tmp_path}/accounts.sqlite"
