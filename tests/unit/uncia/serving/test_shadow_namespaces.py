"""A shadow's namespace leads to its version, and back to the live system."""

from pathlib import Path

import pytest

from tests.unit.uncia.serving.detector_examples import CARD
from uncia.serving.model_versions import CARD_FILE, initial_state, write_version_state
from uncia.serving.shadows import live_settings, shadow_settings
from uncia.settings import Settings


@pytest.mark.parametrize("live", ["", "pamir", "shadow-valley"])
def test_it_leads_back_to_the_live_system(live: str) -> None:
    settings = shadow_settings("species_classifier", "12", Settings(namespace=live))

    assert (settings.model, settings.model_version) == ("species_classifier", "12")
    assert settings.namespace != live
    assert live_settings(settings).namespace == live


def test_the_shadow_of_an_installed_detector_keeps_the_classifier(tmp_path: Path) -> None:
    live = Settings(model_repository=tmp_path)
    folder = tmp_path / "another_detector"
    (folder / "3").mkdir(parents=True)
    (folder / "3" / CARD_FILE).write_text(CARD.model_dump_json())
    write_version_state(folder, initial_state("3"))

    for name in (live.detector, "another_detector"):
        settings = shadow_settings(name, "3", live)
        assert (settings.detector, settings.detector_version) == (name, "3")
        assert (settings.model, settings.model_version) == (live.model, live.model_version)


@pytest.mark.parametrize("namespace", ["", "pamir", "replay-x", "shadow-"])
def test_what_is_no_shadows_is_refused(namespace: str) -> None:
    with pytest.raises(ValueError, match="not that of a shadow"):
        live_settings(Settings(namespace=namespace))
