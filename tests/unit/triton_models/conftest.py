"""The model, built once for all tests here."""

import pytest

from triton_models.recipes.species_classifier import Built, build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    pytest.importorskip("torch")
    return build(tmp_path_factory.mktemp("repository"))
