"""A shadow's namespace leads to its version, and back to the live system."""

import pytest

from uncia.serving.shadows import live_settings, shadow_settings
from uncia.settings import Settings


@pytest.mark.parametrize("live", ["", "pamir", "shadow-valley"])
def test_it_leads_back_to_the_live_system(live: str) -> None:
    settings = shadow_settings("species_classifier", "12", Settings(namespace=live))

    assert (settings.model, settings.model_version) == ("species_classifier", "12")
    assert settings.namespace != live
    assert live_settings(settings).namespace == live


@pytest.mark.parametrize("namespace", ["", "pamir", "replay-x", "shadow-"])
def test_what_is_no_shadows_is_refused(namespace: str) -> None:
    with pytest.raises(ValueError, match="not that of a shadow"):
        live_settings(Settings(namespace=namespace))
