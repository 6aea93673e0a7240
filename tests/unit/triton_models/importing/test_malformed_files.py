"""Malformed files to import are refused in one sentence, within limits of time and memory."""

import contextlib
import json
import random
import resource
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.packages import write_user_classifier
from uncia.triton_models.importing.class_list import read_labels
from uncia.triton_models.importing.description import GraphDescription, read_description
from uncia.triton_models.importing.wrapping import wrap
from uncia.triton_models.packages import resource_limits as limits
from uncia.triton_models.packages.validation import ModelRefused, open_graph

# No shrinking: what fails is small already, and each try may take a while.
FUZZ = settings(
    max_examples=50,
    deadline=None,
    phases=[Phase.generate],
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
DESCRIPTION = GraphDescription.model_validate(
    {
        "name": "x",
        "labels": "labels.txt",
        "frame": {"width": 64, "height": 48},
        "input": {"layout": "NCHW"},
        "output": {"kind": "logits"},
    }
)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("user") / "user.onnx"
    write_user_classifier(path)
    return path.read_bytes()


@FUZZ
@given(st.binary(max_size=300), st.sampled_from([".toml", ".yaml", ".json"]))
def test_no_bytes_are_a_description(tmp_path: Path, raw: bytes, suffix: str) -> None:
    path = tmp_path / f"d{suffix}"
    path.write_bytes(raw)
    with pytest.raises(ModelRefused):
        read_description(path)


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".json", "[" * 100_000),
        (".yaml", "[" * 20_000),
        (".toml", "a = " + "[" * 20_000),
        (".toml", "a" + ".a" * 20_000 + " = 1"),
        (
            ".yaml",
            "a: &a [x,x]\n"
            + "".join(f"{c}: &{c} [*{p},*{p}]\n" for p, c in zip("abcdefghij", "bcdefghijk", strict=True)),
        ),
        (".yaml", "a: 2001-99-99"),
        (".yaml", "? [a, {b: c}]\n: d"),
        (".json", '{"frame": {"width": 1e400, "height": ' + "9" * 5000 + "}}"),
        (".json", " " * (2 << 20)),
        (".json", '{"name": 1, "name": "\\ud800"}'),
    ],
)
def test_a_description_without_end_is_refused(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"d{suffix}"
    path.write_text(text)
    with pytest.raises(ModelRefused):
        read_description(path)


@FUZZ
@given(st.binary(max_size=300), st.sampled_from([".txt", ".csv", ".json"]), st.sampled_from([b"", b"label,taxon\n"]))
def test_no_bytes_break_the_reader_of_labels(tmp_path: Path, raw: bytes, suffix: str, begin: bytes) -> None:
    path = tmp_path / f"labels{suffix}"
    path.write_bytes(begin + raw)
    with contextlib.suppress(ModelRefused):
        read_labels(path, "name", "")


@pytest.mark.parametrize("text", ["[" * 100_000, json.dumps({"classes": [[]] * 100}), '{"name": ' * 50_000])
def test_labels_that_are_nested_without_end_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(ModelRefused):
        read_labels(path, "name", "")


def test_a_class_called_na_is_none(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("label;taxon;group\nfox;NA;NA\nblank;;\n", encoding="utf-16")
    labels = read_labels(path, "name", "")
    assert [(entry.label, entry.taxon, entry.group) for entry in labels.classes] == [
        *(("fox", "", "animal"), ("blank", "", "nothing")),
    ]
    path.write_text("label,taxon\nNA,\n")
    with pytest.raises(ModelRefused):
        read_labels(path, "name", "")


@FUZZ
@given(st.integers(0, 2**32), st.sampled_from(["cut", "flip", "insert", "claim"]))
def test_a_damaged_graph_is_refused_or_runs(tmp_path: Path, graph: bytes, seed: int, damage: str) -> None:
    chance = random.Random(seed)
    at = chance.randrange(len(graph))
    data = {
        "cut": graph[:at],
        "flip": graph[:at] + bytes([graph[at] ^ (1 << chance.randrange(8))]) + graph[at + 1 :],
        "insert": graph[:at] + chance.randbytes(5) + graph[at:],
        # A length of 2 GB, where something else stood.
        "claim": graph[:at] + b"\x3a\xff\xff\xff\xff\x07" + graph[at + 6 :],
    }[damage]
    path = tmp_path / "user.onnx"
    path.write_bytes(data)
    with contextlib.suppress(ModelRefused):
        wrap(path, DESCRIPTION, 10)


@FUZZ
@given(st.binary(max_size=400))
def test_no_bytes_are_a_graph(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "user.onnx"
    path.write_bytes(raw)
    with pytest.raises(ModelRefused):
        wrap(path, DESCRIPTION, 10)


def test_a_graph_of_a_kilobyte_that_asks_for_terabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_MEMORY_BYTES", 1 << 30)
    nodes = [
        helper.make_node(
            "ConstantOfShape", ["s"], ["big"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
        ),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=1),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in "xy"]
    size = helper.make_tensor("s", TensorProto.INT64, [1], [10**12])
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], [size]), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    onnx.save(model, tmp_path / "big.onnx")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(ModelRefused):
        session = open_graph(tmp_path / "big.onnx")
        with limits.bounded_memory(1000):
            try:
                limits.run_in_time(session, ["y"], {"x": [[0.0, 0.0]]})
            except Exception as error:
                raise ModelRefused(str(error)) from error
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_graph_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(limits, "MAX_SECONDS", 0.3)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, None),
        ],
    )
    loop = helper.make_node("Loop", ["times", "yes", "x"], ["y"], body=body)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in "xy"]
    weights = [
        helper.make_tensor("times", TensorProto.INT64, [], [2**62]),
        helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
    ]
    model = helper.make_model(
        helper.make_graph([loop], "g", ends[:1], ends[1:], weights), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    onnx.save(model, tmp_path / "loop.onnx")
    session = open_graph(tmp_path / "loop.onnx")
    with pytest.raises(Exception, match="terminate"):
        limits.run_in_time(session, ["y"], {"x": [[0.0, 0.0]]})
