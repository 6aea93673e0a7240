"""Published networks, cut at any layer."""

import urllib.error
from pathlib import Path

import numpy as np
import pytest

from tests.recipes.training.synthetic_data import SPEC

pytest.importorskip("torch")

from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.features.backbone import Backbone
from uncia.training.features.backbone_registry import load_backbone
from uncia.triton_models.recipes import dense_pass, efficientnet


def test_the_cuts_of_efficientnet_are_its_blocks_and_the_input_of_its_classifier(lite0: Backbone) -> None:
    assert lite0.cuts[0] == "block-0" and lite0.deepest == "features"
    assert lite0.strides["block-0"] == 2 and lite0.strides["block-10"] == 16 and lite0.strides["features"] == 32


def test_deeper_efficientnets_give_feature_maps_of_the_frames_shape() -> None:
    import torch

    deeper = load_backbone("efficientnet-lite2")
    features = deeper.trunk(deeper.deepest, SPEC)(torch.zeros(1, 3, SPEC.height, SPEC.width))

    assert features.shape == (1, 1280, SPEC.height // 32, SPEC.width // 32)


def test_the_trunk_under_its_own_classifier_equals_the_stock_network(lite0: Backbone) -> None:
    """The trunk under its own classifier is the stock network."""
    import torch

    network = efficientnet.load_network("efficientnet-lite0", 64, 64)
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        features = lite0.trunk("features", FrameSpec(width=64, height=64, window=64))(pixels)
        np.testing.assert_allclose(network._fc(features.mean((2, 3))), network(pixels), atol=1e-5)


def test_the_published_classifier_gives_the_logits_of_the_network(lite0: Backbone) -> None:
    import torch

    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        features = lite0.trunk("features", FrameSpec(width=64, height=64, window=64))(pixels).mean((2, 3))
        expected = efficientnet.load_network("efficientnet-lite0", 64, 64)(pixels)

    assert lite0.published is not None
    np.testing.assert_allclose(lite0.published.head.logits(features.numpy()), expected, atol=1e-4)


def test_an_unknown_backbone_is_refused_with_the_available_ones() -> None:
    with pytest.raises(TrainingError, match=r"no backbone 'resnet51'.*efficientnet-lite0"):
        load_backbone("resnet51")


def test_an_unknown_cut_is_refused_with_the_available_ones(lite0: Backbone) -> None:
    with pytest.raises(TrainingError, match=r"no cut 'layer4': use one of block-0"):
        lite0.trunk("layer4", SPEC)


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    import torchvision

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)
    return path


def test_a_torchvision_network_is_cut_at_its_modules(resnet_file: Path) -> None:
    import torch

    resnet = load_backbone("resnet18", resnet_file)

    assert {"layer1", "layer3.1", "layer4"} <= set(resnet.cuts)
    assert resnet.strides["layer3"] == 16
    assert resnet.trunk("layer3", SPEC)(torch.zeros(1, 3, 96, 128)).shape == (1, 256, 6, 8)


def test_the_onnx_graph_of_a_torchvision_dense_pass_equals_torch(resnet_file: Path, tmp_path: Path) -> None:
    import onnxruntime
    from torch import nn

    resnet = load_backbone("resnet18", resnet_file)
    model = dense_pass.DensePass(
        resnet.trunk("layer2", SPEC),
        nn.Linear(128, 3),
        SPEC,
        feature_stride=8,
        mean=resnet.mean,
        std=resnet.std,
        whole="windows",
    ).eval()
    dense_pass.export(model, SPEC, tmp_path / "model.onnx")
    frames = np.random.default_rng(1).integers(0, 256, (2, 96, 128, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])

    for onnx_output, torch_output in zip(
        session.run(None, {"FRAME": frames}), dense_pass.run_network(model, frames), strict=True
    ):
        np.testing.assert_allclose(onnx_output, torch_output, atol=1e-4)


def test_a_torchvision_network_that_reads_the_mean_of_its_features_has_a_published_classifier(
    resnet_file: Path,
) -> None:
    import torch

    resnet = load_backbone("resnet18", resnet_file)
    state = torch.load(resnet_file, weights_only=True)

    assert resnet.published is not None
    np.testing.assert_array_equal(resnet.published.head.weight, state["fc.weight"])


@pytest.mark.parametrize(("name", "other"), [("resnet18", {"num_classes": 5}), ("densenet121", {})])
def test_a_network_with_other_classes_or_more_layers_before_its_classifier_has_no_published_classifier(
    tmp_path: Path, name: str, other: dict[str, int]
) -> None:
    """DenseNet puts one more layer between its last features and their mean."""
    import torch
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None, **other)
    torch.save(network.state_dict(), tmp_path / "made.pth")

    assert load_backbone(name, tmp_path / "made.pth").published is None


def test_weights_of_another_network_are_refused(resnet_file: Path) -> None:
    with pytest.raises(TrainingError, match="does not contain the weights of resnet50"):
        load_backbone("resnet50", resnet_file)


def test_a_file_that_is_not_a_weights_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"not weights")

    with pytest.raises(TrainingError, match="not a weights file"):
        load_backbone("resnet18", tmp_path / "x.pth")


def test_a_failed_download_is_reported_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    def refuse(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError("connection refused")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)

    with pytest.raises(TrainingError, match=r"cannot be downloaded \(connection refused\): pass a file"):
        load_backbone("resnet18")
