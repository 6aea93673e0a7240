"""Classes of the published network that a head keeps: found by name, told from the user's own, refused in words."""

import numpy as np
import pytest

from triton_models.recipes import imagenet
from triton_models.training import TrainingError
from triton_models.training.kept import Published, find, prior_of, same
from triton_models.training.logistic import Linear
from uncia.labels import LabelClass

LABELS = imagenet.label_set()
PUBLISHED = Published(
    Linear(np.random.default_rng(0).normal(0, 1, (1000, 4)).astype(np.float32), np.zeros(1000, np.float32)), LABELS
)
LEOPARD = LABELS.classes[289]
FOX = LabelClass(index=0, label="fox", taxon="Vulpes vulpes", group="animal")


@pytest.mark.parametrize("name", ["snow leopard", "Snow_Leopard", "Panthera uncia", "  panthera  uncia "])
def test_a_class_is_found_by_label_and_by_taxon(name: str) -> None:
    assert find(PUBLISHED, [name]) == (LEOPARD,)


def test_a_class_that_is_named_twice_is_kept_once() -> None:
    assert find(PUBLISHED, ["snow leopard", "Panthera uncia"]) == (LEOPARD,)


def test_a_label_goes_before_a_taxon() -> None:
    assert [entry.label for entry in find(PUBLISHED, ["leopard"])] == ["leopard"]


def test_a_taxon_of_many_classes_is_refused_with_some_of_them() -> None:
    with pytest.raises(TrainingError, match=r"published classes are 'Canis familiaris': name one of .* and \d+ more"):
        find(PUBLISHED, ["Canis familiaris"])


def test_a_strange_name_is_refused_with_those_like_it() -> None:
    with pytest.raises(TrainingError, match=r"no 'snow lepard'; is it snow leopard"):
        find(PUBLISHED, ["snow lepard"])


@pytest.mark.parametrize(
    ("label", "taxon", "is_it"),
    [
        ("Snow_leopard", "", True),
        ("irbis", "Panthera uncia", True),
        ("leopard", "Panthera pardus", False),
        ("stone", "", False),
    ],
)
def test_the_users_class_is_the_published_one_by_label_or_taxon(label: str, taxon: str, is_it: bool) -> None:
    assert same(LabelClass(index=0, label=label, taxon=taxon, group="animal"), LEOPARD) is is_it


def test_only_kept_classes_are_drawn_to_published_rows() -> None:
    kept = LEOPARD.model_copy(update={"index": 1})
    prior = prior_of(PUBLISHED, [LEOPARD], [FOX, kept], [1])

    np.testing.assert_array_equal(prior.weight[1], PUBLISHED.head.weight[289])
    assert not prior.weight[0].any()


def test_the_share_of_an_unseen_class_is_what_the_published_network_sees_of_it() -> None:
    rows = np.random.default_rng(1).normal(0, 1, (5, 4)).astype(np.float32)
    prior = prior_of(PUBLISHED, [LEOPARD], [FOX, LEOPARD.model_copy(update={"index": 1})], [1])
    told = np.exp(PUBLISHED.head.logits(rows).astype(np.float64))

    np.testing.assert_allclose(prior.shares(rows)[:, 0], told[:, 289] / told.sum(axis=1), rtol=1e-4)
