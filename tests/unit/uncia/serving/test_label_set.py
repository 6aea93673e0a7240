"""A label set gives a vector its meaning, and its id changes with that meaning."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from uncia.errors import SettingsError
from uncia.serving.labels import LabelClass, LabelSet, load_label_set

CLASSES = (
    LabelClass(index=0, label="tabby", taxon="Felis catus", group="animal"),
    LabelClass(index=1, label="snow leopard", taxon="Panthera uncia", group="animal", threshold=0.02),
    LabelClass(index=2, label="Siamese cat", taxon="Felis catus", group="animal"),
    LabelClass(index=3, label="fence", taxon="", group="nothing"),
)
CATS = LabelSet(name="cats", classes=CLASSES)


def test_a_taxon_may_have_several_classes() -> None:
    assert [entry.label for entry in CATS.classes_of_taxon("Felis catus")] == ["tabby", "Siamese cat"]


def test_an_unknown_taxon_and_no_taxon_have_none() -> None:
    assert CATS.classes_of_taxon("Ursus arctos") == CATS.classes_of_taxon("") == ()


def test_the_id_names_the_set_and_its_content() -> None:
    stricter = (CLASSES[0], CLASSES[1].model_copy(update={"threshold": 0.03}), *CLASSES[2:])

    assert CATS.id.startswith("cats@")
    assert LabelSet(name="cats", classes=stricter).id != CATS.id


def test_the_id_does_not_change_with_remarks() -> None:
    assert LabelSet(name="cats", source="measured again, the same", classes=CLASSES).id == CATS.id


def test_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(CATS.model_dump_json())

    assert load_label_set(path) == CATS


def test_classes_must_be_in_the_order_of_the_vector() -> None:
    with pytest.raises(ValidationError, match="numbered 0, 1, 2"):
        LabelSet(name="cats", classes=CLASSES[::-1])


@pytest.mark.parametrize("content", ["", "{}", '{"name": "x", "classes": []}'])
def test_a_file_that_is_no_label_set_says_what_to_do(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content)

    with pytest.raises(SettingsError, match="rebuild the model"):
        load_label_set(path)
