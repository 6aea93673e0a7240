"""Hashes and checks passwords with argon2id."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from uncia.dashboard.web.strings import text
from uncia.errors import UnciaError

__all__ = ["MIN_LENGTH", "PasswordTooWeak", "check_password", "hash_password", "is_outdated"]

MIN_LENGTH = 10
_MIN_DIFFERENT = 4
_MAX_LENGTH = 256
"""A longer password would only cost memory."""

# RFC 9106's second recommendation has 64 MiB and 3 passes, which these are; 4 lanes are of no use on two cores.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=1)

_NO_ACCOUNT = _HASHER.hash("no account has this password")
"""Compared for unknown names, so that the time of a response does not reveal which names exist."""


_AT_ONCE = threading.BoundedSemaphore(2)
"""Hashing takes 64 MiB and a core; many sign-ins at the same moment must not take all of either."""


class PasswordTooWeak(UnciaError):
    """The password is not accepted."""


def hash_password(password: str) -> str:
    """The hash to store. Raises `PasswordTooWeak`."""
    if len(password) < MIN_LENGTH:
        raise PasswordTooWeak(text("password.short", n=MIN_LENGTH))
    if len(password) > _MAX_LENGTH:
        raise PasswordTooWeak(text("password.long", n=_MAX_LENGTH))
    if len(set(password)) < _MIN_DIFFERENT:
        raise PasswordTooWeak(text("password.repetitive", n=_MIN_DIFFERENT))
    with _AT_ONCE:
        return _HASHER.hash(password)


def check_password(password: str, stored: str | None) -> bool:
    """Compare a password with a stored hash; with None (no such account) it takes as long and returns False."""
    if len(password) > _MAX_LENGTH:
        return False
    try:
        with _AT_ONCE:
            return _HASHER.verify(stored or _NO_ACCOUNT, password) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether the hash was computed with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)
