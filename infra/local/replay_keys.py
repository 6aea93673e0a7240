"""Keys of the embedded stack for replays and shadows; `uncia.replay_keys` loads this class by its name."""

from collections.abc import Mapping

from uncia.errors import SettingsError
from uncia.identities import Identity, Role, identity_named
from uncia.infra.local.key_management import issue, revoke
from uncia.infra.local.stack import Stack
from uncia.settings import Settings, stack_dir

__all__ = ["StackReplayKeys"]


class StackReplayKeys:
    """Issues and revokes keys in the folder of the stack, as `uncia keys` does. Needs the stack's own user."""

    def issue(self, name: str, live: Settings) -> Mapping[str, str]:
        """The variables of these workers; none where they use another broker. Raises `StackError`, `SettingsError`."""
        stack, identity = Stack(stack_dir()), _identity(name)
        if live.kafka != stack.settings().kafka:
            return {}
        issue(stack, identity)
        return stack.require_keys().environment(identity)

    def revoke(self, name: str) -> None:
        """Refuse their key from now on. Raises `StackError` and `SettingsError`."""
        stack, identity = Stack(stack_dir()), _identity(name)
        known = stack.require_keys().credentials.get(identity.name)
        if known is not None and not known.revoked:
            revoke(stack, identity.name)


def _identity(name: str) -> Identity:
    identity = identity_named(name)
    if identity is None or identity.role not in (Role.REPLAY, Role.SHADOW):
        raise SettingsError(f"{name!r} is not the name of a replay or a shadow")
    return identity
