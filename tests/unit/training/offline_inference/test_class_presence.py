"""The truth of samples in terms of a model's classes: by taxon, by label, or by group."""

from pathlib import Path

import numpy as np
import pytest

from uncia.serving.labels import LabelClass, LabelSet
from uncia.training.datasets.dataset import Sample
from uncia.training.offline_inference.inference import max_by_burst
from uncia.training.offline_inference.presence import class_presence, true_classes

LABELS = LabelSet(
    name="mixed",
    classes=(
        LabelClass(index=0, label="snow leopard", taxon="Panthera uncia", group="animal"),
        LabelClass(index=1, label="spider web", taxon="", group="nothing"),
        LabelClass(index=2, label="animal", taxon="Animalia", group="animal"),
        LabelClass(index=3, label="nothing", taxon="", group="nothing"),
    ),
)


def sample(label: str, *, taxon: str = "", group: str = "") -> Sample:
    return Sample(Path("a.jpg"), label, "burst", "camera", taxon=taxon, group=group)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (sample("irbis", taxon="panthera uncia", group="animal"), [True, False, True, False]),
        (sample("Snow leopard", group="animal"), [True, False, True, False]),
        (sample("snow leopard", taxon="Lynx lynx", group="animal"), [False, False, True, False]),
        (sample("blank"), [False, False, False, True]),
        (sample("person"), [False, False, False, False]),
    ],
)
def test_classes_that_a_sample_shows(shown: Sample, expected: list[bool]) -> None:
    assert class_presence([shown], LABELS)[0][0].tolist() == expected


def test_presence_is_unknown_without_a_group() -> None:
    assert class_presence([sample("irbis")], LABELS)[1][0].tolist() == [True, True, False, False]


def test_a_species_takes_precedence_over_its_group() -> None:
    samples = [sample("snow leopard", group="animal"), sample("fox", group="animal"), sample("stone")]
    assert true_classes(samples, LABELS).tolist() == [0, 2, -1]


def test_maxima_are_sorted_by_burst() -> None:
    values = np.array([[0.1, 0.9], [0.5, 0.2], [0.3, 0.3]])
    assert max_by_burst(values, np.array(["b", "a", "b"])).tolist() == [[0.5, 0.2], [0.3, 0.9]]
