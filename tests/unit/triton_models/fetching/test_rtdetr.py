"""MegaDetector v6 in its Apache-licensed form: networks of its architecture become packages, other files do not."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from tests.unit.triton_models.fetching.publisher import Publisher, entry, write_table
from uncia.commands.models_fetch import app
from uncia.errors import UnciaError
from uncia.serving.cards import read_installed
from uncia.serving.detector_card import DetectorCard
from uncia.triton_models.fetching import rtdetr
from uncia.triton_models.fetching.checkpoint import CheckpointRefused
from uncia.triton_models.fetching.conversion import convert, detector_description
from uncia.triton_models.fetching.download import DownloadFailed
from uncia.triton_models.fetching.fetching import fetch_file
from uncia.triton_models.fetching.rtdetr_decoder import DeformableAttention

SMALL = rtdetr.RtDetrConfig(
    (1, 1, 1, 1),
    bottleneck=False,
    width=8,
    encoder_channels=16,
    encoder_feedforward=16,
    expansion=0.5,
    channels=16,
    feedforward=16,
    layers=2,
    queries=20,
    heads=2,
    points=2,
)


def network_with(config: rtdetr.RtDetrConfig, seed: int = 1) -> rtdetr.RtDetr:
    """A network with random weights, and with scores and boxes that differ between its queries."""
    torch.manual_seed(seed)
    network = rtdetr.RtDetr(config).eval()
    with torch.no_grad():
        for name, values in network.named_parameters():
            if "bbox_head" in name or "score_head" in name:
                values.normal_(std=0.4)
    return network


def published(network: rtdetr.RtDetr, **members: Any) -> bytes:
    """A checkpoint as the publisher's training writes it: the last weights, their average, and the optimiser."""
    content = {
        "model": network_with(network.config, seed=9).state_dict(),
        "ema": {"module": with_training_parts(network.state_dict()), "updates": 3, "warmups": 2000},
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-5}]},
        "last_epoch": 19,
        "date": "2025-04-01",
        **members,
    }
    file = io.BytesIO()
    torch.save({name: value for name, value in content.items() if value is not None}, file)
    return file.getvalue()


def with_training_parts(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "decoder.denoising_class_embed.weight": torch.zeros(4, 16)}


def refusal(path: Path, state: dict[str, Any]) -> str:
    network = network_with(SMALL)
    before = [values.clone() for values in network.state_dict().values()]
    torch.save({"model": state}, path)
    with pytest.raises(CheckpointRefused) as caught:
        rtdetr.load_checkpoint(network, path)
    assert all(torch.equal(old, new) for old, new in zip(before, network.state_dict().values(), strict=True))
    return str(caught.value)


@pytest.mark.parametrize(
    ("form", "parameters", "backbone", "score_heads"),
    [
        ("rtdetr-r18", 20_084_572, ("backbone.res_layers.3.blocks.1.branch2b.conv.weight", (512, 512, 3, 3)), 3),
        ("rtdetr-r101", 76_502_481, ("backbone.res_layers.2.blocks.22.branch2c.conv.weight", (1024, 256, 1, 1)), 6),
    ],
)
def test_the_networks_have_the_published_sizes(
    form: str, parameters: int, backbone: tuple[str, tuple[int, ...]], score_heads: int
) -> None:
    network = rtdetr.RtDetr(rtdetr.CONFIGS[form])
    state = network.state_dict()
    assert sum(values.numel() for values in network.parameters()) == parameters
    assert state[backbone[0]].shape == backbone[1]
    assert len([name for name in state if name.startswith("decoder.dec_score_head.") and "weight" in name]) == (
        score_heads
    )
    for name in (
        "backbone.conv1.conv1_3.norm.running_var",
        "backbone.res_layers.0.blocks.0.short.conv.weight",
        "backbone.res_layers.1.blocks.0.short.conv.conv.weight",
        "encoder.input_proj.2.norm.weight",
        "encoder.encoder.0.layers.0.self_attn.in_proj_weight",
        "encoder.fpn_blocks.1.bottlenecks.2.conv2.norm.bias",
        "encoder.pan_blocks.0.conv1.conv.weight",
        "decoder.decoder.layers.2.cross_attn.sampling_offsets.bias",
        "decoder.decoder.layers.2.self_attn.out_proj.bias",
        "decoder.enc_output.proj.weight",
        "decoder.query_pos_head.layers.1.weight",
        "decoder.dec_bbox_head.2.layers.2.bias",
    ):
        assert name in state


def test_the_command_downloads_converts_and_installs_it(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rtdetr.CONFIGS, "rtdetr-r18", SMALL)
    network = network_with(SMALL)
    publisher.files["finder.bin"] = checkpoint = published(network)
    table = write_table(
        tmp_path,
        entry(
            publisher,
            format="rtdetr-r18",
            file="finder.pth",
            licence="Apache-2.0",
            sha256=hashlib.sha256(checkpoint).hexdigest(),
        ),
    )
    repository = tmp_path / "models" / "repository"
    arguments = ["finder", "--table", str(table), "--repository", str(repository), "--accept-licence"]
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None, done.exception
    assert "finder_small@1 is installed" in done.output
    card = read_installed(repository, "finder_small")
    assert isinstance(card, DetectorCard)
    assert (card.licence, card.frame.width, card.frame.height) == ("Apache-2.0", 640, 640)
    assert card.self_test.scores
    installed = next(repository.glob("finder_small/1/*.onnx"))
    frames = np.random.default_rng(2).integers(0, 256, (2, 640, 640, 3), np.uint8)
    boxes, scores, categories = run(installed, {"FRAME": frames}, ["BOXES", "SCORES", "CATEGORIES"])
    for index, frame in enumerate(frames):
        expected = best_boxes(network, frame)[: len(scores[index])]
        shown = len(expected)
        assert scores[index][:shown] == pytest.approx(expected[:, 4], abs=1e-4)
        assert not scores[index][shown:].any()
        assert np.array_equal(categories[index][:shown], expected[:, 5])
        assert boxes[index][:shown] == pytest.approx(expected[:, :4], abs=1e-3)


def best_boxes(network: rtdetr.RtDetr, frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the network finds in a frame, best first: rows of x, y, width, height, clipped to it; score; category."""
    pixels = torch.from_numpy(frame).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        boxes, logits = (output[0].double().numpy() for output in network(pixels))
    scores = 1 / (1 + np.exp(-logits))
    first = (boxes[:, :2] - boxes[:, 2:] / 2).clip(0, 1)
    last = (boxes[:, :2] + boxes[:, 2:] / 2).clip(0, 1)
    rows = np.column_stack([first, last - first, scores.max(axis=1), scores.argmax(axis=1)])
    return rows[np.argsort(-rows[:, 4])]


def run(graph: Path, inputs: dict[str, Any], outputs: list[str]) -> list[Any]:
    session = onnxruntime.InferenceSession(graph.read_bytes(), providers=["CPUExecutionProvider"])
    return list(session.run(outputs, inputs))


@pytest.mark.parametrize("bottleneck", [False, True])
def test_the_exported_graph_returns_what_the_network_returns(tmp_path: Path, bottleneck: bool) -> None:
    sizes = {**vars(SMALL), "bottleneck": bottleneck, "expansion": 1.0, "side": 128}
    network = network_with(rtdetr.RtDetrConfig(**sizes))
    rtdetr.export_network(network, tmp_path / "net.onnx")
    pixels = torch.rand(3, 3, 128, 128)
    boxes, logits = run(tmp_path / "net.onnx", {"images": pixels.numpy()}, ["pred_boxes", "pred_logits"])
    with torch.no_grad():
        expected = network(pixels)
    assert boxes == pytest.approx(expected[0].numpy(), abs=1e-4)
    assert logits == pytest.approx(expected[1].numpy(), abs=1e-3)


def test_deformable_attention_samples_points_in_proportion_to_the_box() -> None:
    torch.manual_seed(4)
    cells, heads, points = (4, 2), 2, 3
    attention = DeformableAttention(8, heads, cells, points)
    queries, memory = torch.randn(1, 5, 8), torch.randn(1, 20, 8)
    boxes = torch.rand(1, 5, 4) * 0.4 + 0.3
    with torch.no_grad():
        offsets = attention.sampling_offsets(queries).reshape(5, heads, len(cells), points, 2).numpy()
        weights = attention.attention_weights(queries).reshape(5, heads, -1).softmax(2).reshape(5, heads, 2, points)
        values = attention.value_proj(memory)[0].reshape(20, heads, 4).numpy()
        maps = [values[:16].reshape(4, 4, heads, 4), values[16:].reshape(2, 2, heads, 4)]
        found = np.zeros((5, heads, 4))
        for query, head, level, point in np.ndindex(5, heads, len(cells), points):
            x, y, width, height = boxes[0, query].numpy()
            dx, dy = offsets[query, head, level, point] / points / 2
            value = bilinear(maps[level][:, :, head], x + dx * width, y + dy * height)
            found[query, head] += float(weights[query, head, level, point]) * value
        expected = attention.output_proj(torch.from_numpy(found.reshape(1, 5, 8)).float())
        assert attention(queries, boxes, memory).numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def bilinear(values: NDArray[np.float32], x: float, y: float) -> NDArray[np.float64]:
    """The value of a map (h, w, C) at a place in shares of it; outside it there are zeros."""
    height, width, channels = values.shape
    column, row = x * width - 0.5, y * height - 0.5
    total = np.zeros(channels)
    for at_row in (int(np.floor(row)), int(np.floor(row)) + 1):
        for at_column in (int(np.floor(column)), int(np.floor(column)) + 1):
            if 0 <= at_row < height and 0 <= at_column < width:
                total += (1 - abs(row - at_row)) * (1 - abs(column - at_column)) * values[at_row, at_column]
    return total


def test_the_average_of_the_weights_is_loaded_where_the_file_has_one(tmp_path: Path) -> None:
    average, last = network_with(SMALL), network_with(SMALL, seed=9)
    (tmp_path / "both.pth").write_bytes(published(average))
    (tmp_path / "last.pth").write_bytes(published(average, ema=None))
    for name, expected in (("both.pth", average), ("last.pth", last)):
        network = network_with(SMALL, seed=5)
        rtdetr.load_checkpoint(network, tmp_path / name)
        for loaded, wanted in zip(network.parameters(), expected.parameters(), strict=True):
            assert torch.equal(loaded, wanted)


def test_files_may_lack_constants_and_the_counters_of_training(tmp_path: Path) -> None:
    network = network_with(SMALL)
    left_out = ("num_batches_tracked", "num_points_scale", "anchors", "valid_mask")
    state = {name: values for name, values in network.state_dict().items() if not name.endswith(left_out)}
    torch.save({"model": state}, tmp_path / "c.pth")
    rtdetr.load_checkpoint(network_with(SMALL, seed=5), tmp_path / "c.pth")


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    state = network_with(SMALL).state_dict()
    name = "decoder.enc_output.proj.weight"
    missing = {other: values for other, values in state.items() if other != name}
    assert f"it has no {name} (1 missing, 0 of another shape, 0 unknown, of " in refusal(tmp_path / "c", missing)
    assert f"it has another shape of {name}" in refusal(tmp_path / "c", {**state, name: torch.zeros(3)})
    assert f"it has another shape of {name}" in refusal(tmp_path / "c", {**state, name: "text"})
    unknown = refusal(tmp_path / "c", {**state, "decoder.tgt_embed.weight": torch.zeros(3)})
    assert "it has decoder.tgt_embed.weight, which is unknown (0 missing, 0 of another shape, 1 unknown" in unknown
    # One that was trained for another size of the input differs in its anchors only.
    other_size = rtdetr.RtDetr(rtdetr.RtDetrConfig(**{**vars(SMALL), "side": 320})).state_dict()
    assert "it has another shape of decoder.anchors" in refusal(tmp_path / "c", other_size)


@pytest.mark.parametrize("content", [{}, [1], {"model": [1]}, {"ema": {"updates": 1}, "model": {}}])
def test_a_checkpoint_without_weights_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "c.pth")
    with pytest.raises(CheckpointRefused, match="does not belong to this network: it has no "):
        rtdetr.load_checkpoint(network_with(SMALL), tmp_path / "c.pth")


def test_weights_that_are_no_numbers_are_refused(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rtdetr.CONFIGS, "rtdetr-r18", SMALL)
    network = network_with(SMALL)
    network.state_dict()["decoder.dec_score_head.1.weight"][0, 0] = torch.nan
    (tmp_path / "finder.pth").write_bytes(published(network))
    with pytest.raises(UnciaError, match="NaN"):
        convert(entry(publisher, format="rtdetr-r18"), tmp_path / "finder.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_with_another_checksum_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files["finder.bin"] = published(network_with(SMALL))
    one = entry(publisher, format="rtdetr-r18", file="finder.pth", sha256="0" * 64)
    with pytest.raises(DownloadFailed, match="is not the published file"):
        fetch_file(one, tmp_path)


class Trap:
    """A pickle that would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    network = network_with(SMALL)
    (tmp_path / "c.pth").write_bytes(published(network, callbacks=[Trap(tmp_path / "run")]))
    rtdetr.load_checkpoint(network, tmp_path / "c.pth")
    assert not (tmp_path / "run").exists()


def test_the_description_is_that_of_the_publisher(publisher: Publisher) -> None:
    described = detector_description(entry(publisher, format="rtdetr-r101"))
    assert described.categories == ("animal", "person", "vehicle")
    assert (described.input.mean, described.input.std, described.input.channels) == ((0.0,) * 3, (1.0,) * 3, "RGB")
    # The whole frame, without a border.
    assert described.placement == (0, 0, 640, 640)
    assert not described.output.suppression
