"""A card that is absent, old or of another label set stops a worker at its start, with what to do."""

from pathlib import Path

import pytest

from tests.unit.uncia.serving.fake_triton import CARD, LABELS
from uncia.errors import SettingsError
from uncia.serving.model_card import CARD_FILE, LABELS_FILE, read_active_card, read_model_card
from uncia.settings import Settings


def test_the_card_comes_with_its_labels(repository: Path) -> None:
    card = read_active_card(Settings(model=CARD.model, model_repository=repository))

    assert card == CARD
    assert card.labels == LABELS


def test_the_labels_are_not_written_twice() -> None:
    assert "labels" not in CARD.model_dump()


@pytest.mark.parametrize("missing", [CARD_FILE, LABELS_FILE])
def test_a_missing_file_is_named(repository: Path, missing: str) -> None:
    (repository / CARD.model / "1" / missing).unlink()

    with pytest.raises(SettingsError, match=missing):
        read_model_card(repository / CARD.model / "1")


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json"])
def test_a_broken_card_is_named(repository: Path, content: str) -> None:
    (repository / CARD.model / "1" / CARD_FILE).write_text(content)

    with pytest.raises(SettingsError, match="uncia models build"):
        read_model_card(repository / CARD.model / "1")


def test_labels_of_another_model_are_refused(repository: Path) -> None:
    other = LABELS.model_copy(update={"name": "other"})
    (repository / CARD.model / "1" / LABELS_FILE).write_text(other.model_dump_json())

    with pytest.raises(SettingsError, match="other@"):
        read_model_card(repository / CARD.model / "1")
