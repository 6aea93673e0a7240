"""Keys for the workers of one replay or shadow.

These run with other models and settings. With keys of their own they can write no live topic. The broker and the store
of `uncia up` issue such keys (`uncia.infra.local.replay_keys`); a system elsewhere may name a class of its own in the
setting `replay_key_issuer`.
"""

import pkgutil
from collections.abc import Mapping
from typing import Protocol

from uncia.errors import SettingsError
from uncia.settings import Settings

__all__ = ["KeyIssuer", "issue_keys", "revoke_keys"]


class KeyIssuer(Protocol):
    """What the setting names: a class without arguments. Its methods raise `UnciaError`."""

    def issue(self, name: str, live: Settings) -> Mapping[str, str]:
        """The environment variables with which these workers sign in; the same again until revoked.

        `name` is that of an identity (`uncia.identities`): `replay-june`, `shadow-species-classifier-v2`. `live` are
        the settings of the live system, by which it finds the broker.
        """

    def revoke(self, name: str) -> None:
        """Make these keys useless. Does nothing where there are none."""


def issue_keys(name: str, live: Settings) -> Mapping[str, str]:
    """The variables with keys for these workers, as in `KeyIssuer`; empty where nothing issues any.

    Raises `UnciaError`.
    """
    issuer = _issuer(live)
    return issuer.issue(name, live) if issuer else {}


def revoke_keys(name: str, live: Settings) -> None:
    """Make the keys of these workers useless, where they have any. Raises `UnciaError`."""
    if (issuer := _issuer(live)) is not None:
        issuer.revoke(name)


def _issuer(live: Settings) -> KeyIssuer | None:
    path = live.replay_key_issuer
    if path is None:
        return None
    try:
        made: KeyIssuer = pkgutil.resolve_name(path)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise SettingsError(f"UNCIA_REPLAY_KEY_ISSUER={path}: it cannot be loaded ({error})") from error
    return made
