"""Records in the audit log which cameras signed in, and which sign-ins were refused."""

import contextlib

from uncia.audit import AuditLog
from uncia.errors import UnciaError
from uncia.producers.mailroom.accounts import Account, Accounts

__all__ = ["SignInLog"]

_MAX_NAME = 64


class SignInLog:
    """One record an hour for each camera and network address: a camera signs in for each photograph.

    Of user names without an account, one an hour for each network address: a program that tries names must not displace
    other records. Safe for several threads.
    """

    def __init__(self, accounts: Accounts, audit: AuditLog) -> None:
        self._accounts = accounts
        self._audit = audit

    def signed_in(self, address: str, user: str) -> None:
        """A password was correct."""
        account = self._find(user)
        camera = f"{account.station}/{account.camera}" if account is not None else ""  # removed just now
        self._audit.record_once("signed_in", user, f"mailroom from {address}", camera=camera)

    def refused(self, address: str, user: str) -> None:
        """A user name or password was wrong."""
        who = "unknown camera" if self._find(user) is None else user
        self._audit.record_once("sign_in_failed", who, f"mailroom from {address}", user=user[:_MAX_NAME])

    def refused_recipient(self, address: str) -> None:
        """A mail was for no camera: the address of one is its password."""
        self._audit.record_once("sign_in_failed", "unknown recipient", f"mailroom from {address}")

    def _find(self, user: str) -> Account | None:
        with contextlib.suppress(UnciaError):  # the accounts cannot be read now
            return next((account for account in self._accounts.all() if account.user == user), None)
        return None
