"""Namespaces derived from the live one: those of replays, and of versions that run as a shadow.

A namespace is a prefix of topics and consumer groups (`uncia.settings`). These begin with the live namespace, so that
systems that share a broker stay apart.
"""

from uncia.settings import Settings

__all__ = ["derived_namespace", "derived_prefixes", "is_derived", "replay_namespace", "shadow_name", "shadow_namespace"]

_REPLAY, _SHADOW = "replay-", "shadow-"


def replay_namespace(name: str, live: Settings) -> str:
    """The namespace of a replay."""
    return f"{_before(live)}{_REPLAY}{name}"


def shadow_namespace(model: str, version: str, live: Settings) -> str:
    """The namespace of a version's shadow."""
    return f"{_before(live)}{_SHADOW}{shadow_name(model, version)}"


def shadow_name(model: str, version: str) -> str:
    """How the shadow of a version is called in its namespace and in its key (`uncia.identities.shadow_identity`)."""
    return f"{model.replace('_', '-')}-v{version}"


def derived_namespace(end: str, live: Settings) -> str:
    """The namespace of a replay or a shadow, from its end, such as `replay-june`, which is the name of its identity."""
    return f"{_before(live)}{end}"


def derived_prefixes(live: Settings) -> tuple[str, ...]:
    """With what the names of all topics and groups of replays and shadows begin; those of no live topic do."""
    return tuple(f"{_before(live)}{kind}" for kind in (_REPLAY, _SHADOW))


def is_derived(namespace: str) -> bool:
    """True for the namespace of a replay or a shadow of any system."""
    return _REPLAY in namespace or _SHADOW in namespace


def _before(live: Settings) -> str:
    return f"{live.namespace}-" if live.namespace else ""
