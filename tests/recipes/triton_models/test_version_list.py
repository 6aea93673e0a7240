"""Listing versions: in the repository and in Triton, or in one of them only."""

from uncia.serving.model_versions import initial_state
from uncia.serving.triton_client import ServedVersion
from uncia.triton_models.recipes.species_classifier import BuildResult
from uncia.triton_models.version_list import InstalledModel, list_versions


def installed_model(built: BuildResult) -> InstalledModel:
    return InstalledModel(built.card.model, initial_state(), (built.card,))


def states(built: BuildResult, *served: ServedVersion) -> list[tuple[str, str, str | None]]:
    return [(line.model, line.version, line.state) for line in list_versions([installed_model(built)], served)]


def test_a_served_version_is_one_line(built: BuildResult) -> None:
    assert states(built, ServedVersion("species_classifier", "1", "READY", "")) == [
        ("species_classifier", "1", "READY")
    ]


def test_a_model_that_was_never_loaded_has_an_empty_state(built: BuildResult) -> None:
    assert states(built, ServedVersion("species_classifier", "", "", "")) == [("species_classifier", "1", "")]
    assert states(built) == [("species_classifier", "1", "")]


def test_models_and_versions_that_only_triton_has_are_listed_too(built: BuildResult) -> None:
    versions = states(
        built,
        ServedVersion("species_classifier", "1", "READY", ""),
        ServedVersion("species_classifier", "2", "UNAVAILABLE", "broken"),
        ServedVersion("other", "", "", ""),
    )

    assert versions[1:] == [("other", "", ""), ("species_classifier", "2", "UNAVAILABLE")]


def test_the_state_is_none_when_triton_is_unreachable(built: BuildResult) -> None:
    assert [line.state for line in list_versions([installed_model(built)], None)] == [None]
