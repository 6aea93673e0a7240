"""Which class is explained: the named one, or the one that the photograph's verdict would rest on."""

import numpy as np
import pytest

from tests.unit.uncia.serving.fake_triton import LABELS
from uncia.explaining.target import ClassUnknown, best_class, class_at, named_class


@pytest.mark.parametrize("name", ["Snow Leopard", "panthera uncia", "0", " snow leopard "])
def test_a_class_is_found_by_label_taxon_or_number(name: str) -> None:
    assert named_class(LABELS, name).index == 0


def test_an_unknown_class_is_refused_with_similar_names() -> None:
    with pytest.raises(ClassUnknown, match=r"no class 'snow leopart'; similar: snow leopard"):
        named_class(LABELS, "snow leopart")
    for name in ("", "7"):
        with pytest.raises(ClassUnknown):
            named_class(LABELS, name)
    with pytest.raises(ClassUnknown, match="only 3 classes"):
        class_at(LABELS, 3)


def test_a_focus_taxon_at_its_threshold_goes_before_higher_scores() -> None:
    scores = np.array([0.03, 0.9, 0.95])
    assert best_class(LABELS, scores, ("Panthera uncia",)).label == "snow leopard"
    assert best_class(LABELS, scores).label == "person"
    assert best_class(LABELS, np.array([0.01, 0.9, 0.95]), ("Panthera uncia",)).label == "person"


def test_classes_that_are_nothing_are_explained_only_where_there_is_no_other() -> None:
    things = LABELS.model_copy(update={"classes": (LABELS.classes[2].model_copy(update={"index": 0}),)})
    assert best_class(things, np.array([0.2])).label == "stone"
