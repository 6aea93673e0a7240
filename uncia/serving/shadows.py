"""Shadows: model versions that classify the same uploads as the live version, without effect on verdicts.

A shadow has its own namespace, named after the version, and therefore its own topics and consumer groups. The worker of
a shadow derives the live namespace from this name, and a comparison derives the namespace of the shadow.
"""

import re

from uncia.namespaces import shadow_namespace
from uncia.serving.cards import pinned_model
from uncia.settings import Settings

_SHADOW = re.compile(r"(?:(?P<live>[a-z0-9-]+)-)?shadow-[a-z0-9-]+-v[0-9]+")

SHADOW_WORKER = "predict-shadow"


def shadow_settings(model: str, version: str, live: Settings) -> Settings:
    """Return the live settings with the namespace of a shadow and its version of the classifier or of the detector."""
    namespace = shadow_namespace(model, version, live)
    return live.model_copy(update={"namespace": namespace, **pinned_model(live, model, version)})


def live_settings(settings: Settings) -> Settings:
    """Return the live settings for those of a shadow. Raises `ValueError` for other settings."""
    found = _SHADOW.fullmatch(settings.namespace)
    if found is None:
        raise ValueError(f"the namespace {settings.namespace!r} is not that of a shadow")
    return settings.model_copy(update={"namespace": found["live"] or ""})
