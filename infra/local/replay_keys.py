"""Keys of the embedded stack for the workers of a replay; `uncia.replay_keys` loads this class by its name."""

from collections.abc import Mapping

from uncia.identities import replay_identity
from uncia.infra.local.key_management import issue, revoke
from uncia.infra.local.stack import Stack
from uncia.settings import Settings, stack_dir

__all__ = ["StackReplayKeys"]


class StackReplayKeys:
    """Issues and revokes keys in the folder of the stack, as `uncia keys` does. Needs the stack's own user."""

    def issue(self, replay: str, live: Settings) -> Mapping[str, str]:
        """The variables of the replay's workers; none for a replay on another broker. Raises `StackError`."""
        stack, identity = Stack(stack_dir()), replay_identity(replay)
        if live.kafka != stack.settings().kafka:
            return {}
        issue(stack, identity)
        return stack.require_keys().environment(identity)

    def revoke(self, replay: str) -> None:
        """Refuse the replay's key from now on. Raises `StackError`."""
        stack, name = Stack(stack_dir()), replay_identity(replay).name
        known = stack.require_keys().credentials.get(name)
        if known is not None and not known.revoked:
            revoke(stack, name)
