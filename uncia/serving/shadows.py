"""A shadow: a version of a model that is asked about the same uploads as the live one, and whose word counts nothing.

It is a namespace of its own, named after the version, so that its answers stand on topics and under groups that nobody
else has. The name leads both ways: whoever works in it finds live's uploads, and whoever compares finds its answers.
"""

import re

from uncia.settings import Settings

_SHADOW = re.compile(r"(?:(?P<live>[a-z0-9-]+)-)?shadow-[a-z0-9-]+-v[0-9]+")

SHADOW_WORKER = "predict-shadow"


def shadow_namespace(model: str, version: str, live: Settings) -> str:
    """The namespace of a version's shadow."""
    name = f"shadow-{model.replace('_', '-')}-v{version}"
    return f"{live.namespace}-{name}" if live.namespace else name


def shadow_settings(model: str, version: str, live: Settings) -> Settings:
    """Live's settings, in the namespace of a version's shadow, asking that version."""
    changes = {"namespace": shadow_namespace(model, version, live), "model": model, "model_version": version}
    return live.model_copy(update=changes)


def live_settings(settings: Settings) -> Settings:
    """The settings of the live system whose shadow these are. Raises `ValueError` where they are none's."""
    found = _SHADOW.fullmatch(settings.namespace)
    if found is None:
        raise ValueError(f"the namespace {settings.namespace!r} is no shadow's")
    return settings.model_copy(update={"namespace": found["live"] or ""})
