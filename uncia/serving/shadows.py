"""Shadows: a model version that classifies the same uploads as the live one, and whose results are not used.

A shadow has a namespace of its own, named after the version, and with it its own topics and consumer groups. The name
works in both directions: the shadow's worker derives the live namespace from it, and a comparison derives the shadow's.
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
    """The live settings, with the namespace of a shadow and its version of the classifier or of the detector."""
    kind = "detector" if model == live.detector else "model"
    changes = {"namespace": shadow_namespace(model, version, live), kind: model, f"{kind}_version": version}
    return live.model_copy(update=changes)


def live_settings(settings: Settings) -> Settings:
    """The settings of the live system whose shadow these are. Raises `ValueError` for settings of no shadow."""
    found = _SHADOW.fullmatch(settings.namespace)
    if found is None:
        raise ValueError(f"the namespace {settings.namespace!r} is not that of a shadow")
    return settings.model_copy(update={"namespace": found["live"] or ""})
