"""The smallest published backbone, and one head trained on synthetic images, for all tests in this folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.recipes.training.synthetic_data import SPEC, data_set

if TYPE_CHECKING:
    from uncia.training.features.backbone import Backbone


@pytest.fixture(scope="session")
def lite0() -> "Backbone":
    pytest.importorskip("torch")
    from uncia.training.features.backbone_registry import load_backbone

    return load_backbone("efficientnet-lite0")


@pytest.fixture(scope="session")
def features_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One feature cache for all tests, so that features are computed once."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="session")
def dataset_and_split(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """The synthetic dataset and its split."""
    return data_set(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session")
def trained(dataset_and_split, lite0, features_folder):  # type: ignore[no-untyped-def]
    from uncia.training.heads.training import HeadSettings, train_head

    settings = HeadSettings(cut="block-5", spec=SPEC, penalty=0.1)
    return train_head(dataset_and_split[1], lite0, settings, features_folder)
