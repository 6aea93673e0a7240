"""Ensembles as one graph: its scores equal the rules in NumPy, and it meets the stream's contract."""

import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.unit.training.ensembles.tiny_packages import FRAME, some_frames, tiny_package
from uncia.imaging.frame_spec import FrameSpec
from uncia.training.ensembles.ensemble import Ensemble, assemble, build_package
from uncia.training.ensembles.graph import ensemble_graph, resize_input
from uncia.training.ensembles.rules import RULES, Rule, combine
from uncia.training.ensembles.stacking import StackingError, StackingWeights
from uncia.training.ensembles.views import View, ViewError, parse_views, resize_frames, scale_spec
from uncia.triton_models.packages.loading import OpenPackage, PackageError, open_package, open_session

LEARNT = StackingWeights(-0.5, (0.3, 0.9, 0.2, 0.1, 0.4, 0.6, 0.2, 0.5))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[OpenPackage]:
    folder = tmp_path_factory.mktemp("pair")
    return [tiny_package(folder / "one", 1), tiny_package(folder / "two", 2)]


@pytest.fixture(scope="module")
def ensemble(pair: list[OpenPackage]) -> Ensemble:
    return assemble(pair, parse_views("mirror,scale:1.5"))


def _by_hand(ensemble: Ensemble, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outputs of each part: WHOLE and WINDOWS (M, B, C)."""
    whole, windows = [], []
    for member, view in itertools.product(ensemble.members, ensemble.members[0].views):
        card = member.package.card
        spec = scale_spec(card.frame, view.scale)
        shown = resize_frames(frames, spec)[:, :, ::-1] if view.mirror else resize_frames(frames, spec)
        graph = resize_input(onnx.load(str(member.package.graph)), spec)
        answers = open_session(graph.SerializeToString()).run(None, {"FRAME": np.ascontiguousarray(shown)})
        whole.append(answers[0])
        windows.append(answers[1])
    return np.stack(whole), np.stack(windows)


@pytest.mark.parametrize("rule", RULES)
def test_a_graph_answers_what_the_rule_makes_of_its_parts(ensemble: Ensemble, rule: Rule, tmp_path: Path) -> None:
    package = build_package(tmp_path / "made", ensemble, rule, name="both", stacking=LEARNT)
    frames = some_frames(ensemble.frame)
    _, windows = _by_hand(ensemble, frames)
    expected = combine(rule, windows, np.array(LEARNT.weights), LEARNT.bias)
    np.testing.assert_allclose(package.predict(frames)[1], expected, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_the_whole_frame_still_sums_to_one(ensemble: Ensemble, rule: Rule, tmp_path: Path) -> None:
    package = build_package(tmp_path / "made", ensemble, rule, name="both", stacking=LEARNT)
    np.testing.assert_allclose(package.predict(some_frames(ensemble.frame))[0].sum(axis=1), 1, atol=1e-5)


def test_one_model_and_one_view_are_the_model(pair: list[OpenPackage], tmp_path: Path) -> None:
    package = build_package(tmp_path / "made", assemble(pair[:1], (View(),)), "mean", name="same")
    frames = some_frames(FRAME)
    for ours, reference in zip(package.predict(frames), pair[0].predict(frames), strict=True):
        np.testing.assert_allclose(ours, reference, atol=1e-6)


def test_a_package_is_read_back_as_it_was_written(ensemble: Ensemble, tmp_path: Path) -> None:
    build_package(tmp_path / "made", ensemble, "mean", name="both")
    package = open_package(tmp_path / "made")
    assert [entry.label for entry in package.card.labels.classes] == ["fox", "lynx", "empty"]
    assert package.card.self_test.windows.length == 3


def test_a_place_is_where_the_surest_part_sees_the_class(pair: list[OpenPackage], tmp_path: Path) -> None:
    package = build_package(tmp_path / "made", assemble(pair[:1], parse_views("mirror")), "max", name="both")
    red = np.full((1, FRAME.height, FRAME.width, 3), 90, np.uint8)
    red[:, :64, :64, 0] = 255
    _, _, places = pair[0].predict(red)
    _, _, ours = package.predict(red)
    # Symmetric windows of two views that are equally sure may differ; the patch is in the left upper one.
    sure = pair[0].predict(red)[1].argmax()
    assert ours[0, sure] == places[0, sure]


def test_a_class_that_another_model_counts_elsewhere_is_found_there(pair: list[OpenPackage], tmp_path: Path) -> None:
    turned = tiny_package(tmp_path / "turned", 5, labels=("lynx", "empty", "fox"))
    package = build_package(tmp_path / "made", assemble([pair[0], turned], (View(),)), "mean", name="both")
    frames = some_frames(FRAME)
    expected = (pair[0].predict(frames)[1] + turned.predict(frames)[1][:, [2, 0, 1]]) / 2
    np.testing.assert_allclose(package.predict(frames)[1], expected, atol=1e-6)


def test_models_of_different_classes_make_no_ensemble(pair: list[OpenPackage], tmp_path: Path) -> None:
    other = tiny_package(tmp_path / "other", 1, labels=("fox", "lynx", "boar"))
    with pytest.raises(PackageError, match="boar"):
        assemble([pair[0], other], (View(),))


def test_a_model_of_whole_frames_leaves_the_place_to_the_others(pair: list[OpenPackage], tmp_path: Path) -> None:
    whole = tiny_package(tmp_path / "whole", 3, frame=FrameSpec(width=64, height=64, window=64))
    package = build_package(tmp_path / "made", assemble([whole, pair[0]], (View(),)), "mean", name="both")
    frames = some_frames(FRAME)
    np.testing.assert_array_equal(package.predict(frames)[2], pair[0].predict(frames)[2])


def test_weights_that_views_share_are_held_once(pair: list[OpenPackage]) -> None:
    one = assemble(pair[:1], (View(),))
    many = assemble(pair[:1], parse_views("mirror,scale:0.75"))
    sizes = [
        sum(tensor.dims == [3, 3, 1, 1] for tensor in ensemble_graph(one.members, one.frame, "mean").graph.initializer)
        for one in (one, many)
    ]
    assert sizes[0] == sizes[1]


def test_stacking_without_anything_learnt_is_refused(ensemble: Ensemble, tmp_path: Path) -> None:
    with pytest.raises(StackingError, match="--learn-on"):
        build_package(tmp_path / "made", ensemble, "stacked", name="both")
    assert not (tmp_path / "made").exists()


def test_graphs_of_different_opsets_are_refused(pair: list[OpenPackage], tmp_path: Path) -> None:
    newer = tiny_package(tmp_path / "newer", 1, opset=16)
    with pytest.raises(ViewError, match="opset"):
        build_package(tmp_path / "made", assemble([pair[0], newer], (View(),)), "mean", name="both")
