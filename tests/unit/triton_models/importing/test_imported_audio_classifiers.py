"""Audio classifiers that take a waveform or a mel spectrogram work by a description."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from uncia.serving.model_card import ModelCard
from uncia.sound.spec import SoundSpec
from uncia.sound.spectrogram import model_frame
from uncia.triton_models.importing.class_list import read_labels
from uncia.triton_models.importing.sound_import import make_sound_package, sound_labels
from uncia.triton_models.packages.loading import open_package
from uncia.triton_models.packages.validation import ModelRefused, ValidatedPackage

SOUND: dict[str, Any] = {"sample_rate": 2_000, "window_s": 0.5, "hop_s": 0.25, "high_hz": 1_000, "fft": 128, "mels": 8}
SOUND["columns"] = 16
LABELS = "Turdus merula_Eurasian Blackbird\nHuman vocal_Human vocal\nNoise_Noise\n"


def graph(path: Path, shape: list[int]) -> Path:
    """A graph whose three logits are the mean, the lowest and the highest value of its input, [batch, *shape]."""
    nodes = [
        helper.make_node("Flatten", ["in"], ["flat"], axis=1),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("ReduceMin", ["flat"], ["low"], axes=[1], keepdims=1),
        helper.make_node("ReduceMax", ["flat"], ["high"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["mean", "low", "high"], ["out"], axis=1),
    ]
    made = helper.make_graph(
        nodes,
        "three",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 3])],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def described(folder: Path, kind: str = "sigmoid", **sound: Any) -> Path:
    (folder / "labels.txt").write_text(LABELS)
    path = folder / "birds.json"
    content = {"kind": "sound", "name": "birds", "labels": "labels.txt", "sound": SOUND | sound}
    path.write_text(json.dumps({**content, "output": {"kind": kind}}))
    return path


def imported(folder: Path, shape: list[int], **options: Any) -> ValidatedPackage[ModelCard]:
    return make_sound_package(graph(folder / "birds.onnx", shape), described(folder, **options), folder / "package")


def logits(package: ValidatedPackage[ModelCard], samples: NDArray[np.float32]) -> NDArray[np.float64]:
    spec = package.card.sound
    assert spec is not None
    whole, _, _ = open_package(package.folder).predict(model_frame(samples, spec)[None])
    scores = whole[0].astype(np.float64)
    return np.asarray(np.log(scores / (1 - scores)))


def test_a_waveform_arrives_as_the_samples_from_minus_one_to_one(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.9, 0.7, 1_000).astype(np.float32)
    found = logits(imported(tmp_path, [1_000], input="waveform"), samples)
    np.testing.assert_allclose(found, [samples.mean(), samples.min(), samples.max()], atol=1e-4)


def test_a_mel_spectrogram_arrives_from_zero_to_one(tmp_path: Path) -> None:
    package = imported(tmp_path, [1, 8, 16], input="mel")
    samples = np.random.default_rng(0).normal(0, 0.1, 1_000).astype(np.float32)
    levels = model_frame(samples, SoundSpec.model_validate(SOUND))[..., 0] / 255
    np.testing.assert_allclose(logits(package, samples), [levels.mean(), levels.min(), levels.max()], atol=1e-4)


def test_labels_of_scientific_and_common_name_are_split_and_voices_are_persons(tmp_path: Path) -> None:
    classes = imported(tmp_path, [1_000], input="waveform").card.labels.classes
    assert (classes[0].taxon, classes[0].label, classes[0].group) == ("Turdus merula", "Eurasian Blackbird", "animal")
    assert classes[1].group == "person"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Turdus merula_Eurasian Blackbird", ("Turdus merula", "Eurasian Blackbird", "animal")),
        ("Dog_Dog", ("", "Dog", "animal")),
        ("Gryllus assimilis_Gryllus assimilis", ("", "Gryllus assimilis", "animal")),
        ("Homo sapiens_Human", ("Homo sapiens", "Human", "person")),
        ("Homo sapiens_Mensch", ("Homo sapiens", "Mensch", "person")),
        ("Human vocal_Human vocal", ("Homo sapiens", "Human vocal", "person")),
        ("Human non-vocal_Human non-vocal", ("Homo sapiens", "Human non-vocal", "person")),
        ("Human whistle_Human whistle", ("Homo sapiens", "Human whistle", "person")),
        ("human_voice", ("Homo sapiens", "human_voice", "person")),
        ("Engine_Engine", ("", "Engine", "nothing")),
        ("Environmental_Environmental", ("", "Environmental", "nothing")),
        ("Fireworks_Fireworks", ("", "Fireworks", "nothing")),
        ("Gun_Gun", ("", "Gun", "nothing")),
        ("Noise_Noise", ("", "Noise", "nothing")),
        ("Power tools_Power tools", ("", "Power tools", "nothing")),
        ("Siren_Siren", ("", "Siren", "nothing")),
        ("Vehicle_Vehicle", ("", "Vehicle", "vehicle")),
        ("snow_leopard", ("", "snow_leopard", "animal")),
    ],
)
def test_a_label_in_the_form_of_birdnet_gives_taxon_label_and_group(
    tmp_path: Path, label: str, expected: tuple[str, str, str]
) -> None:
    (tmp_path / "labels.txt").write_text(label)
    (found,) = sound_labels(read_labels(tmp_path / "labels.txt", "birds", "")).classes
    assert (found.taxon, found.label, found.group) == expected


@pytest.mark.parametrize(("label", "group"), [("Human vocal_Mensch Stimme", "person"), ("Engine_Motor", "nothing")])
def test_the_group_of_a_label_does_not_depend_on_its_language(tmp_path: Path, label: str, group: str) -> None:
    (tmp_path / "labels.txt").write_text(label)
    (found,) = sound_labels(read_labels(tmp_path / "labels.txt", "birds", "")).classes
    assert found.group == group


def test_the_package_says_what_the_model_hears(tmp_path: Path) -> None:
    spec = imported(tmp_path, [1_000], input="waveform").card.sound
    assert spec is not None
    assert (spec.input, spec.sample_rate, spec.window_s) == ("waveform", 2_000, 0.5)


def test_a_graph_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="the description gives"):
        imported(tmp_path, [999], input="waveform")


def test_logits_that_are_called_probabilities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no probability"):
        imported(tmp_path, [1_000], input="waveform", kind="probabilities")


def test_a_misspelt_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"sound\.windows"):
        imported(tmp_path, [1_000], input="waveform", windows=3)
