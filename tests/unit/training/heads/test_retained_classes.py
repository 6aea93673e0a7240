"""Published classes that a head retains: lookup by name, matching with the user's classes, and error messages."""

from pathlib import Path

import numpy as np
import pytest

from uncia.camtrap.vocabulary import group_of
from uncia.serving.labels import LabelClass
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.splits import Split
from uncia.training.features.backbone import PublishedClassifier
from uncia.training.linear.logistic_regression import LinearClassifier
from uncia.training.model_packages.trained_model import coverage_notes, label_classes
from uncia.training.retained_classes import class_prior, find_published, matching_published
from uncia.triton_models.recipes import imagenet

LABELS = imagenet.label_set()
PUBLISHED = PublishedClassifier(
    LinearClassifier(np.random.default_rng(0).normal(0, 1, (1000, 4)).astype(np.float32), np.zeros(1000, np.float32)),
    LABELS,
)
LEOPARD = LABELS.classes[289]
FOX = LabelClass(index=0, label="fox", taxon="Vulpes vulpes", group="animal")


def picture(label: str, taxon: str = "", burst: str = "") -> Sample:
    """A sample as from a folder, or from a table with a taxon; the file is never opened."""
    return Sample(Path(f"{label}.jpg"), label, burst or label, "ridge", taxon=taxon, group=group_of(label))


@pytest.mark.parametrize("name", ["snow leopard", "Snow_Leopard", "Panthera uncia", "  panthera  uncia "])
def test_a_class_is_found_by_label_and_by_taxon(name: str) -> None:
    assert find_published(PUBLISHED, [name]) == (LEOPARD,)


def test_a_class_that_is_named_twice_is_kept_once() -> None:
    assert find_published(PUBLISHED, ["snow leopard", "Panthera uncia"]) == (LEOPARD,)


def test_a_label_goes_before_a_taxon() -> None:
    assert [entry.label for entry in find_published(PUBLISHED, ["leopard"])] == ["leopard"]


def test_a_taxon_of_many_classes_is_refused_with_some_of_them() -> None:
    with pytest.raises(TrainingError, match=r"published classes are 'Canis familiaris': name one of .* and \d+ more"):
        find_published(PUBLISHED, ["Canis familiaris"])


def test_a_strange_name_is_refused_with_those_like_it() -> None:
    with pytest.raises(TrainingError, match=r"no class 'snow lepard'; is it snow leopard"):
        find_published(PUBLISHED, ["snow lepard"])


@pytest.mark.parametrize(
    ("label", "taxon", "is_it"),
    [
        ("Snow_leopard", "", True),
        ("irbis", "Panthera uncia", True),
        ("irbis", "panthera_uncia", True),
        ("leopard", "Panthera pardus", False),
        ("stone", "", False),
    ],
)
def test_the_users_class_is_the_published_one_by_label_or_taxon(label: str, taxon: str, is_it: bool) -> None:
    assert matching_published(label, taxon, [LEOPARD]) == (LEOPARD if is_it else None)


def test_a_name_that_is_like_none_is_refused_in_a_whole_sentence() -> None:
    with pytest.raises(TrainingError, match=r"no class 'qqqq'\. Its classes"):
        find_published(PUBLISHED, ["qqqq"])


def test_a_thing_is_refused_because_it_would_count_as_nothing() -> None:
    with pytest.raises(TrainingError, match="'picket fence' is no animal, person or vehicle"):
        find_published(PUBLISHED, ["snow leopard", "picket fence"])


def test_two_kept_classes_of_one_taxon_have_a_row_each() -> None:
    cats = find_published(PUBLISHED, ["Egyptian cat", "tabby"])
    classes = label_classes([picture("fox")], cats)
    prior = class_prior(PUBLISHED, cats, classes, [0, 2])

    assert [entry.label for entry in classes] == ["Egyptian cat", "fox", "tabby"]
    np.testing.assert_array_equal(prior.weight[0], PUBLISHED.head.weight[cats[0].index])
    np.testing.assert_array_equal(prior.weight[2], PUBLISHED.head.weight[cats[1].index])


def test_a_label_goes_before_a_taxon_that_several_have() -> None:
    cats = find_published(PUBLISHED, ["Egyptian cat", "tabby"])

    assert matching_published("Tabby", "Felis catus", cats) == cats[1]


def test_what_photographs_leave_open_of_a_kept_class_is_the_published_ones() -> None:
    kept = find_published(PUBLISHED, ["Panthera uncia", "minivan"])
    leopard, minivan, _ = label_classes([picture("Snow_leopard"), picture("minivan"), picture("stone")], kept)

    assert (leopard.label, leopard.taxon, leopard.group) == ("Snow_leopard", "Panthera uncia", "animal")
    assert minivan.group == "vehicle"


@pytest.mark.parametrize(("label", "taxon"), [("Snow_leopard", ""), ("irbis", "Panthera uncia")])
def test_a_kept_class_that_only_another_side_shows_is_called_as_there(label: str, taxon: str) -> None:
    classes = label_classes([picture("fox")], [LEOPARD], [picture("fox"), picture(label, taxon)])

    assert [entry.label for entry in classes if entry.taxon == "Panthera uncia"] == [label]
    assert len(classes) == 2


@pytest.mark.parametrize(
    ("others", "shown", "result"),
    [
        (12, False, "the threshold lies above the scores of all bursts of other classes"),
        (9, False, "9 bursts of other classes are too few"),
        (12, True, None),
    ],
)
def test_the_notes_describe_the_threshold_of_an_unseen_class(others: int, shown: bool, result: str | None) -> None:
    held_out = [picture("fox", burst=str(number)) for number in range(others)]
    held_out += [picture("snow leopard", burst="cat")] * shown
    classes = label_classes([picture("fox")], [LEOPARD])
    notes = coverage_notes(Split((picture("fox"),), tuple(held_out), ()), classes, [1])

    assert "No training photograph shows snow leopard" in notes[0]
    assert notes[1:] == [note for note in notes if result and result in note]


def test_only_kept_classes_are_drawn_to_published_rows() -> None:
    kept = LEOPARD.model_copy(update={"index": 1})
    prior = class_prior(PUBLISHED, [LEOPARD], [FOX, kept], [1])

    np.testing.assert_array_equal(prior.weight[1], PUBLISHED.head.weight[289])
    assert not prior.weight[0].any()


def test_the_share_of_an_unseen_class_is_what_the_published_network_sees_of_it() -> None:
    rows = np.random.default_rng(1).normal(0, 1, (5, 4)).astype(np.float32)
    prior = class_prior(PUBLISHED, [LEOPARD], [FOX, LEOPARD.model_copy(update={"index": 1})], [1])
    result = np.exp(PUBLISHED.head.logits(rows).astype(np.float64))

    np.testing.assert_allclose(prior.shares(rows)[:, 0], result[:, 289] / result.sum(axis=1), rtol=1e-4)
