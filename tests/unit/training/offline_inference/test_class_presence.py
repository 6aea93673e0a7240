"""Truth in a model's classes: by taxon, by label, or by group."""

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


def picture(label: str, *, taxon: str = "", group: str = "") -> Sample:
    return Sample(Path("a.jpg"), label, "burst", "camera", taxon=taxon, group=group)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (picture("irbis", taxon="panthera uncia", group="animal"), [True, False, True, False]),
        (picture("Snow leopard", group="animal"), [True, False, True, False]),
        (picture("snow leopard", taxon="Lynx lynx", group="animal"), [False, False, True, False]),
        (picture("blank"), [False, False, False, True]),
        (picture("person"), [False, False, False, False]),
    ],
)
def test_what_a_picture_shows(shown: Sample, expected: list[bool]) -> None:
    assert class_presence([shown], LABELS)[0][0].tolist() == expected


def test_of_a_group_nobody_told_nothing_is_known() -> None:
    assert class_presence([picture("irbis")], LABELS)[1][0].tolist() == [True, True, False, False]


def test_the_truth_is_the_kind_before_the_group() -> None:
    told = [picture("snow leopard", group="animal"), picture("fox", group="animal"), picture("stone")]
    assert true_classes(told, LABELS).tolist() == [0, 2, -1]


def test_the_greatest_of_each_burst_in_the_order_of_their_names() -> None:
    values = np.array([[0.1, 0.9], [0.5, 0.2], [0.3, 0.3]])
    assert max_by_burst(values, np.array(["b", "a", "b"])).tolist() == [[0.5, 0.2], [0.3, 0.9]]
