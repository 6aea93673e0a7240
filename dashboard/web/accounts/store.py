"""Reads and writes accounts, sessions, tokens and one-time links."""

import hashlib
import secrets
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from uncia.dashboard.web.accounts import passwords
from uncia.dashboard.web.accounts.roles import Caller, Role
from uncia.dashboard.web.accounts.tables import ACCOUNT, FAILURE, LINK, SESSION, TOKEN
from uncia.dashboard.web.strings import TEXT, text
from uncia.errors import UnciaError

__all__ = ["Account", "AccountRefused", "AccountStore", "Session", "SignInBlocked", "Token"]

LINK_HOURS = 24.0
_TOUCH_S = 60.0
"""A session's last use is written at most this often: reading a page must not write to the database each time."""

_WINDOW_S = 900.0
_FAILURES_BY_NAME = 8
_FAILURES_BY_ADDRESS = 30


class AccountRefused(UnciaError):
    """An account, link or change is not accepted; the message says why."""


class SignInBlocked(UnciaError):
    """Too many failures to sign in; `retry_s` seconds from now another attempt is accepted."""

    def __init__(self, retry_s: float) -> None:
        super().__init__(TEXT["accounts.refused.attempts"])
        self.retry_s = retry_s


@dataclass(frozen=True)
class Account:
    """One account, without its password."""

    id: int
    name: str
    role: Role
    stations: tuple[str, ...] | None
    disabled: bool
    created_at: float
    has_password: bool
    settings: dict[str, Any]

    def caller(self) -> Caller:
        """The account as the sender of a request."""
        return Caller(self.id, self.name, self.role, self.stations)


@dataclass(frozen=True)
class Session:
    """A session of a browser."""

    caller: Caller
    form_token: str
    """What each form of this session must send back."""


@dataclass(frozen=True)
class Token:
    """One token of the JSON API, without its secret."""

    id: int
    label: str
    created_at: float
    used_at: float | None


class AccountStore:
    """Accounts in a database. Thread-safe, and safe with several processes on one database.

    Secrets (cookies, tokens, links) are stored as SHA-256 only. They have 256 random bits, which no one can guess, so
    that no slow hash is needed.
    """

    def __init__(self, engine: Engine, *, session_hours: float, now: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self._session_s = session_hours * 3600
        self._now = now

    # Accounts

    def count(self) -> int:
        """Number of accounts."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(ACCOUNT)) or 0

    def accounts(self) -> list[Account]:
        """All accounts by name."""
        with self.engine.connect() as connection:
            return [_account(row) for row in connection.execute(select(ACCOUNT).order_by(ACCOUNT.c.folded))]

    def account(self, account_id: int) -> Account | None:
        """One account."""
        with self.engine.connect() as connection:
            row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.id == account_id)).first()
            return _account(row) if row else None

    def by_name(self, name: str) -> Account | None:
        """The account of a name, whatever its case."""
        with self.engine.connect() as connection:
            row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.folded == _folded(name))).first()
            return _account(row) if row else None

    def create(self, name: str, password: str | None, role: Role, stations: Sequence[str] | None = None) -> Account:
        """Create an account; without a password it is signed in by a proxy only. Raises `AccountRefused`."""
        with self.engine.begin() as connection:
            return self._create(connection, name, password, role, stations)

    def change(self, account_id: int, *, role: Role, stations: Sequence[str] | None, disabled: bool) -> None:
        """Change an account. Raises `AccountRefused` where no enabled admin would be left."""
        with self.engine.begin() as connection:
            changed = connection.execute(
                update(ACCOUNT)
                .where(ACCOUNT.c.id == account_id)
                .values(role=role.value, stations=_listed(stations), disabled=disabled)
            )
            if not changed.rowcount:
                raise AccountRefused(TEXT["accounts.refused.unknown"])
            self._require_admin(connection)
            if disabled:
                connection.execute(delete(SESSION).where(SESSION.c.account_id == account_id))

    def delete(self, account_id: int) -> None:
        """Delete an account with its sessions, tokens and views. Raises `AccountRefused` for the last admin."""
        with self.engine.begin() as connection:
            connection.execute(delete(ACCOUNT).where(ACCOUNT.c.id == account_id))
            self._require_admin(connection)

    def set_password(self, account_id: int, password: str) -> None:
        """Set a password and end all sessions of the account. Raises `PasswordTooWeak`."""
        hashed = passwords.hash_password(password)
        with self.engine.begin() as connection:
            connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(password=hashed))
            connection.execute(delete(SESSION).where(SESSION.c.account_id == account_id))

    def set_settings(self, account_id: int, settings: dict[str, Any]) -> None:
        """Store an account's own settings: its species keys, for example."""
        with self.engine.begin() as connection:
            connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(settings=settings))

    # Sign-in

    def sign_in(self, name: str, password: str, address: str) -> Account | None:
        """The account of a name and its password; None where they do not match. Raises `SignInBlocked`.

        Failures count by name and by address: the first against guessing one password, the second against trying one
        password with many names.
        """
        folded = _folded(name)
        # The address is hashed to one length: it comes from outside.
        subjects = {f"name:{_hashed(folded)}": _FAILURES_BY_NAME, f"address:{_hashed(address)}": _FAILURES_BY_ADDRESS}
        now = self._now()
        with self.engine.begin() as connection:
            for subject, most in subjects.items():
                self._refuse_after(connection, subject, most, now)
            row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.folded == folded)).first()
        # Outside the transaction: hashing takes some 100 ms, during which nothing else could write.
        correct = passwords.check_password(password, row.password if row else None)
        with self.engine.begin() as connection:
            if row is None or not correct or row.disabled:
                connection.execute(delete(FAILURE).where(FAILURE.c.at < now - _WINDOW_S))
                connection.execute(insert(FAILURE), [{"subject": subject, "at": now} for subject in subjects])
                return None
            connection.execute(delete(FAILURE).where(FAILURE.c.subject == next(iter(subjects))))
            if passwords.is_outdated(row.password):
                connection.execute(
                    update(ACCOUNT).where(ACCOUNT.c.id == row.id).values(password=passwords.hash_password(password))
                )
            return _account(row)

    def by_proxy(self, name: str) -> Account | None:
        """The enabled account of a name that a trusted proxy has signed in."""
        account = self.by_name(name)
        return account if account and not account.disabled else None

    # Sessions

    def start_session(self, account_id: int, agent: str = "") -> str:
        """Start a session and return the cookie's value."""
        cookie, now = secrets.token_urlsafe(32), self._now()
        with self.engine.begin() as connection:
            connection.execute(delete(SESSION).where(SESSION.c.seen_at < now - self._session_s))
            connection.execute(
                insert(SESSION).values(
                    token=_hashed(cookie),
                    account_id=account_id,
                    form_token=secrets.token_urlsafe(32),
                    created_at=now,
                    seen_at=now,
                    agent=agent[:200],
                )
            )
        return cookie

    def session(self, cookie: str) -> Session | None:
        """The session of a cookie; None where it has ended or the account is disabled."""
        now = self._now()
        with self.engine.connect() as connection:
            row = connection.execute(
                select(ACCOUNT, SESSION.c.form_token, SESSION.c.seen_at)
                .join(SESSION, SESSION.c.account_id == ACCOUNT.c.id)
                .where(SESSION.c.token == _hashed(cookie), SESSION.c.seen_at >= now - self._session_s)
            ).first()
        if row is None or row.disabled:
            return None
        if row.seen_at < now - _TOUCH_S:
            with self.engine.begin() as connection:
                connection.execute(update(SESSION).where(SESSION.c.token == _hashed(cookie)).values(seen_at=now))
        return Session(_account(row).caller(), row.form_token)

    def end_session(self, cookie: str) -> None:
        """End a session."""
        with self.engine.begin() as connection:
            connection.execute(delete(SESSION).where(SESSION.c.token == _hashed(cookie)))

    # Tokens

    def create_token(self, account_id: int, label: str) -> str:
        """Create a token of the JSON API and return its secret, which cannot be read again."""
        secret = f"uncia_{secrets.token_urlsafe(32)}"
        with self.engine.begin() as connection:
            connection.execute(
                insert(TOKEN).values(
                    token=_hashed(secret), account_id=account_id, label=label[:100], created_at=self._now()
                )
            )
        return secret

    def tokens(self, account_id: int) -> list[Token]:
        """The tokens of an account, the newest first."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(TOKEN).where(TOKEN.c.account_id == account_id).order_by(TOKEN.c.id.desc()))
            return [Token(row.id, row.label, row.created_at, row.used_at) for row in rows]

    def delete_token(self, account_id: int, token_id: int) -> None:
        """Delete a token of this account."""
        with self.engine.begin() as connection:
            connection.execute(delete(TOKEN).where(TOKEN.c.id == token_id, TOKEN.c.account_id == account_id))

    def by_token(self, secret: str) -> Account | None:
        """The enabled account of a token."""
        now = self._now()
        with self.engine.connect() as connection:
            row = connection.execute(
                select(ACCOUNT, TOKEN.c.used_at)
                .join(TOKEN, TOKEN.c.account_id == ACCOUNT.c.id)
                .where(TOKEN.c.token == _hashed(secret))
            ).first()
        if row is None or row.disabled:
            return None
        if row.used_at is None or row.used_at < now - _TOUCH_S:
            with self.engine.begin() as connection:
                connection.execute(update(TOKEN).where(TOKEN.c.token == _hashed(secret)).values(used_at=now))
        return _account(row)

    # One-time links

    def create_link(
        self,
        *,
        role: Role | None = None,
        stations: Sequence[str] | None = None,
        account_id: int | None = None,
        hours: float = LINK_HOURS,
    ) -> str:
        """Create a one-time link and return its secret: for a new account of this role, or for a new password."""
        secret, now = secrets.token_urlsafe(24), self._now()
        with self.engine.begin() as connection:
            connection.execute(delete(LINK).where(LINK.c.expires_at < now))
            connection.execute(
                insert(LINK).values(
                    token=_hashed(secret),
                    account_id=account_id,
                    role=role.value if role else None,
                    stations=_listed(stations),
                    expires_at=now + hours * 3600,
                )
            )
        return secret

    def withdraw_first_links(self) -> None:
        """Delete the links that create an admin: an earlier start printed them."""
        with self.engine.begin() as connection:
            connection.execute(delete(LINK).where(LINK.c.account_id.is_(None), LINK.c.role == Role.ADMIN.value))

    def link_account(self, secret: str) -> tuple[bool, str]:
        """Whether a link is valid, and the name of its account: empty for a new one."""
        with self.engine.connect() as connection:
            row = self._link(connection, secret)
            if row is None:
                return False, ""
            return True, connection.scalar(select(ACCOUNT.c.name).where(ACCOUNT.c.id == row.account_id)) or ""

    def use_link(self, secret: str, name: str, password: str) -> Account:
        """Use a link: create its account, or set the password of it. Raises `AccountRefused` or `PasswordTooWeak`.

        A link works once; two uses at the same moment cannot both succeed. A refused name leaves it valid.
        """
        hashed = passwords.hash_password(password)
        with self.engine.begin() as connection:
            row = self._link(connection, secret)
            used = connection.execute(delete(LINK).where(LINK.c.token == _hashed(secret)))
            if row is None or not used.rowcount:
                raise AccountRefused(TEXT["accounts.refused.link"])
            if row.account_id is None:
                return self._create(connection, name, None, Role(row.role), row.stations, hashed)
            connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == row.account_id).values(password=hashed))
            connection.execute(delete(SESSION).where(SESSION.c.account_id == row.account_id))
            return _account(connection.execute(select(ACCOUNT).where(ACCOUNT.c.id == row.account_id)).one())

    def _link(self, connection: Connection, secret: str) -> Row[Any] | None:
        valid: ColumnElement[bool] = LINK.c.expires_at >= self._now()
        usable = or_(LINK.c.account_id.is_not(None), LINK.c.role.is_not(None))
        return connection.execute(select(LINK).where(LINK.c.token == _hashed(secret), valid, usable)).first()

    def _create(
        self,
        connection: Connection,
        name: str,
        password: str | None,
        role: Role,
        stations: Sequence[str] | None,
        hashed: str | None = None,
    ) -> Account:
        name = unicodedata.normalize("NFC", name).strip()
        if not name or len(name) > 64 or not name.isprintable():
            raise AccountRefused(TEXT["accounts.refused.name"])
        if password is not None:
            hashed = passwords.hash_password(password)
        values = {
            "name": name,
            "folded": _folded(name),
            "password": hashed,
            "role": role.value,
            "stations": _listed(stations),
            "disabled": False,
            "created_at": self._now(),
        }
        try:
            with connection.begin_nested():
                made = connection.execute(insert(ACCOUNT).values(values).returning(ACCOUNT)).one()
        except IntegrityError as error:
            raise AccountRefused(text("accounts.refused.taken", name=name)) from error
        return _account(made)

    def _refuse_after(self, connection: Connection, subject: str, most: int, now: float) -> None:
        recent = (
            select(FAILURE.c.at)
            .where(FAILURE.c.subject == subject, FAILURE.c.at > now - _WINDOW_S)
            .order_by(FAILURE.c.at.desc())
            .limit(most)
        )
        times = connection.execute(recent).scalars().all()
        if len(times) >= most:
            raise SignInBlocked(max(1.0, times[-1] + _WINDOW_S - now))

    @staticmethod
    def _require_admin(connection: Connection) -> None:
        admins = select(func.count()).where(ACCOUNT.c.role == Role.ADMIN.value, ACCOUNT.c.disabled.is_(False))
        if not connection.scalar(admins):
            raise AccountRefused(TEXT["accounts.refused.last_admin"])


def _account(row: Row[Any]) -> Account:
    stations = None if row.stations is None else tuple(row.stations)
    return Account(
        row.id,
        row.name,
        Role(row.role),
        stations,
        row.disabled,
        row.created_at,
        row.password is not None,
        dict(row.settings or {}),
    )


def _listed(stations: Sequence[str] | None) -> list[str] | None:
    return None if stations is None else sorted(set(stations))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()[:64]


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
