"""The model, built once for all tests here; an up-to-date one from the installation is used unchanged."""

import shutil

import pytest

from uncia.settings import Settings
from uncia.triton_models.recipes.species_classifier import NAME, BuildResult, build, fingerprint, up_to_date


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    pytest.importorskip("torch")
    repository = tmp_path_factory.mktemp("repository")
    installed = Settings.model_fields["model_repository"].default / NAME
    if card := up_to_date(installed, fingerprint("python")):
        # A Triton that served it has left its compiled Python there.
        shutil.copytree(installed, repository / NAME, ignore=shutil.ignore_patterns("__pycache__"))
        return BuildResult(repository / NAME, card, fresh=False)
    return build(repository)
