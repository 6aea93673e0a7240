"""Published models are fetched from a local publisher, converted, and installed; licences and pins hold."""

import hashlib
import io
import json
import tarfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from tests.unit.triton_models.fetching.publisher import Publisher, entry, write_table
from uncia.commands.models_fetch import app
from uncia.errors import SettingsError, UnciaError
from uncia.serving.cards import read_installed
from uncia.serving.detector_card import DetectorCard
from uncia.serving.model_card import ModelCard
from uncia.triton_models.detectors.onnx_builder import FLOAT, OnnxBuilder, checked_bytes, tensor
from uncia.triton_models.fetching import yolov9
from uncia.triton_models.fetching.catalogue import find_model, published_models, read_catalogue
from uncia.triton_models.fetching.checkpoint import CheckpointRefused
from uncia.triton_models.fetching.conversion import ConversionRefused, convert, detector_description
from uncia.triton_models.fetching.fetching import Consent, LicenceNotAccepted, check_licence, fetch_file
from uncia.triton_models.importing.description import read_fields
from uncia.triton_models.importing.detector_description import DetectorDescription

DETECTOR_LICENCES = {"MIT", "Apache-2.0"}


def yolo_graph() -> bytes:
    """A network with YOLO's output for 640 x 640 pixels: 8,400 boxes, one of them a person."""
    values = np.zeros((1, 7, 8400), np.float32)
    values[0, :, 11] = 320, 320, 64, 48, 0, 0.75, 0
    builder = OnnxBuilder()
    one = builder.constant([1], np.int64)
    batch = builder.columns(builder.add("Shape", "images"), 0, 1, 0)
    repeats = builder.add("Concat", batch, one, one, axis=0)
    builder.add("Tile", builder.constant(values), repeats, output="output0")
    shapes = tensor("images", FLOAT, ["batch", 3, 640, 640]), tensor("output0", FLOAT, ["batch", 7, 8400])
    return checked_bytes(builder.model(shapes[:1], shapes[1:]))


def test_the_table_has_one_default_per_model_and_states_every_licence() -> None:
    models = published_models()
    assert find_model("megadetector-v6", models).licence in DETECTOR_LICENCES
    assert find_model("speciesnet", models).licence == "Apache-2.0"
    assert len({one.full_name for one in models}) == len(models)
    for one in models:
        assert one.address.startswith("https://")
        assert one.strong_copyleft == one.licence.startswith("AGPL")
        # By any other licence there is a conversion, or words on how to export.
        assert one.strong_copyleft == (one.format == "ultralytics")


def test_unknown_names_are_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="knows megadetector-v6, speciesnet"):
        find_model("yolo", published_models())
    with pytest.raises(SettingsError, match="has no variant x: use one of mit-yolov9-c, mit-yolov9-e"):
        find_model("megadetector-v6/x", published_models())
    (tmp_path / "t.toml").write_text('[[model]]\nname = "a"\n')
    with pytest.raises(SettingsError, match="is no table of published models"):
        read_catalogue(tmp_path / "t.toml")


def test_licences_are_accepted_before_anything_is_downloaded(publisher: Publisher) -> None:
    mit, agpl = entry(publisher), entry(publisher, licence="AGPL-3.0")
    check_licence(mit, Consent(licence=True))
    check_licence(mit, Consent(), ask=lambda: True)
    check_licence(agpl, Consent(licence=True, copyleft=True))
    with pytest.raises(LicenceNotAccepted, match="--accept-licence"):
        check_licence(mit, Consent())
    with pytest.raises(LicenceNotAccepted, match="--accept-licence"):
        check_licence(mit, Consent(), ask=lambda: False)
    with pytest.raises(LicenceNotAccepted, match="--accept-agpl"):
        check_licence(agpl, Consent(licence=True), ask=lambda: True)
    with pytest.raises(LicenceNotAccepted, match="--accept-licence"):
        check_licence(agpl, Consent(copyleft=True))


@pytest.mark.parametrize("variant", ["yolov9-c", "yolov10-c", "rtdetr-c"])
def test_the_command_refuses_agpl_before_it_downloads(tmp_path: Path, variant: str) -> None:
    arguments = [f"megadetector-v6/{variant}", "--accept-licence", "--repository", str(tmp_path / "m" / "repository")]
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, LicenceNotAccepted)
    assert "under MIT or Apache-2.0, or run the command again with --accept-agpl" in str(refused.exception)
    assert not (tmp_path / "m").exists()


def test_a_file_without_a_published_checksum_is_pinned_at_its_first_download(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.files["finder.bin"] = b"first"
    first = fetch_file(entry(publisher), tmp_path)
    assert first.newly_pinned and first.sha256 == hashlib.sha256(b"first").hexdigest()
    assert not fetch_file(entry(publisher), tmp_path).newly_pinned
    first.path.unlink()
    publisher.files["finder.bin"] = b"another"
    with pytest.raises(UnciaError, match="is not the published file"):
        fetch_file(entry(publisher), tmp_path)
    (tmp_path / "pins.json").write_text("{")
    with pytest.raises(UnciaError, match=r"pins\.json cannot be read .*: delete it"):
        fetch_file(entry(publisher), tmp_path)


def test_a_file_that_was_downloaded_by_hand_is_checked(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    one = entry(publisher, md5=hashlib.md5(b"mine").hexdigest())
    assert fetch_file(one, tmp_path / "cache", file=tmp_path / "mine").path == tmp_path / "mine"
    with pytest.raises(UnciaError, match="there is no file"):
        fetch_file(one, tmp_path / "cache", file=tmp_path / "none")
    (tmp_path / "mine").write_bytes(b"other")
    with pytest.raises(UnciaError, match="is not the published file"):
        fetch_file(one, tmp_path / "cache", file=tmp_path / "mine")
    assert (tmp_path / "mine").exists()
    assert publisher.requests == []


def test_the_command_downloads_converts_and_installs_a_detector(publisher: Publisher, tmp_path: Path) -> None:
    graph = yolo_graph()
    publisher.files["finder.bin"] = graph
    table = write_table(tmp_path, entry(publisher, sha256=hashlib.sha256(graph).hexdigest()))
    arguments = ["finder", "--table", str(table), "--repository", str(tmp_path / "models" / "repository")]
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, LicenceNotAccepted)
    assert publisher.requests == []
    done = CliRunner().invoke(app, [*arguments, "--accept-licence"])
    assert done.exception is None, done.exception
    assert "licence:   MIT" in done.output
    assert "finder_small@1 is installed" in done.output
    card = read_installed(tmp_path / "models" / "repository", "finder_small")
    assert isinstance(card, DetectorCard)
    assert (card.licence, card.categories) == ("MIT", ("animal", "person", "vehicle"))
    assert card.self_test.categories == (1,)
    # The frame of 640 x 480 lies 80 pixels below the top of the square.
    assert card.self_test.boxes[0] == pytest.approx([288 / 640, (320 - 24 - 80) / 480, 0.1, 0.1], abs=1e-5)
    assert (tmp_path / "models" / "fetched" / "finder.onnx").read_bytes() == graph


def test_the_command_lists_what_it_knows() -> None:
    shown = CliRunner().invoke(app, ["--json"])
    assert {one["name"] for one in json.loads(shown.output)} == {"megadetector-v6", "speciesnet"}
    assert "megadetector-v6/mit-yolov9-c" in CliRunner().invoke(app, [], env={"COLUMNS": "200"}).output


def test_networks_that_are_not_contained_are_kept_with_a_description(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "finder.pth").write_bytes(b"weights")
    one = entry(publisher, format="ultralytics", licence="AGPL-3.0")
    with pytest.raises(ConversionRefused, match=r"uncia models import .*finder\.onnx --description .*finder\.json"):
        convert(one, tmp_path / "finder.pth", tmp_path / "out")
    assert read_fields(tmp_path / "finder.json", DetectorDescription) == detector_description(one)


class PooledClassifier(nn.Module):
    """A classifier with SpeciesNet's input, in a kilobyte."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(3, classes)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(pixels.mean(dim=(1, 2)))
        return logits


def speciesnet_release(kind: str = "full_image", **info: Any) -> bytes:
    labels = "1;;;;;;blank\n2;mammalia;carnivora;felidae;panthera;uncia;snow leopard\n3;;;;;;vehicle\n"
    pickled = io.BytesIO()
    torch.save(torch.fx.symbolic_trace(PooledClassifier(3)), pickled)
    content = {"classifier": "net.pt", "classifier_labels": "net.labels.txt", "type": kind, **info}
    files = {
        "./info.json": json.dumps(content).encode(),
        "net.pt": pickled.getvalue(),
        "a/net.labels.txt": labels.encode(),
    }
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return raw.getvalue()


def test_speciesnet_becomes_a_classifier_package(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files["finder.bin"] = speciesnet_release()
    one = entry(publisher, format="speciesnet", file="release.tar.gz", licence="Apache-2.0")
    table = write_table(tmp_path, one)
    arguments = [
        "finder/small",
        "--table",
        str(table),
        "--accept-licence",
        "--repository",
        str(tmp_path / "repository"),
    ]
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, ConversionRefused)
    assert "is a pickled program" in str(refused.exception) and "--trust-code" in str(refused.exception)
    done = CliRunner().invoke(app, [*arguments, "--trust-code"])
    assert done.exception is None, done.exception
    assert len(publisher.requests) == 1
    card = read_installed(tmp_path / "repository", "finder_small")
    assert isinstance(card, ModelCard)
    assert [one.taxon for one in card.labels.classes] == ["", "Panthera uncia", ""]
    assert (card.frame.width, card.frame.height, card.frame.crop_top) == (480, 480, 0.14)


@pytest.mark.parametrize(
    ("release", "sentence"),
    [
        (b"no archive", "is not a release of SpeciesNet"),
        (speciesnet_release()[:400], "is not a release of SpeciesNet"),
        (speciesnet_release(classifier="../net.pt"), "is no file name"),
        (speciesnet_release(classifier="other.pt"), "it has no other.pt"),
        (speciesnet_release(classifier="net.labels.txt"), "cannot be opened"),
    ],
)
def test_other_archives_are_refused(publisher: Publisher, tmp_path: Path, release: bytes, sentence: str) -> None:
    (tmp_path / "r.tar.gz").write_bytes(release)
    with pytest.raises(UnciaError) as caught:
        convert(entry(publisher, format="speciesnet"), tmp_path / "r.tar.gz", tmp_path / "out", trust_code=True)
    assert sentence in str(caught.value)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    network = yolov9.YoloV9(yolov9.small())
    path = tmp_path / "c.ckpt"
    state = {f"model.model.{name}": values for name, values in network.model.state_dict().items()}
    first = next(iter(state))
    torch.save({"state_dict": {name: values for name, values in state.items() if name != first}}, path)
    with pytest.raises(CheckpointRefused, match=r"has no 0\.conv\.weight \(1 missing, 0 of another shape"):
        yolov9.load_checkpoint(network, path)
    torch.save({"state_dict": {**state, first: torch.zeros(3)}}, path)
    with pytest.raises(CheckpointRefused, match=r"has another shape of 0\.conv\.weight"):
        yolov9.load_checkpoint(network, path)
    # The auxiliary branch of training, and other members of a checkpoint, are ignored.
    extras = {
        "epoch": 3,
        "hyper_parameters": types.SimpleNamespace(rate=0.1),
        "callbacks": {Path("a"): [Trap(tmp_path)]},
    }
    torch.save({"state_dict": {**state, "model.model.29.x": torch.zeros(3)}, **extras}, path)
    yolov9.load_checkpoint(network, path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04"])
def test_other_files_are_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointRefused, match="is not a checkpoint"):
        yolov9.load_checkpoint(yolov9.YoloV9(yolov9.small()), path)


class Trap:
    """A pickle that would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"state_dict": Trap(tmp_path / "run")}, tmp_path / "c.ckpt")
    with pytest.raises(CheckpointRefused, match="does not belong to this network"):
        yolov9.load_checkpoint(yolov9.YoloV9(yolov9.small()), tmp_path / "c.ckpt")
    assert not (tmp_path / "run").exists()
