"""A model that does nothing, in the place of the real one: for what is about the stream and not about the model.

The same repository layout, card, label set, tensors, queue and priorities; served by the same python backend of
Triton. Every frame gets the answer of the real model's self-test, so that whoever looks after Triton is content.
"""

import shutil
from pathlib import Path

import numpy as np

from uncia.serving.model_card import read_model_card
from uncia.serving.model_versions import CARD_FILE, CONFIG_FILE, LABELS_FILE, LIVE_FILE, read_version_state
from uncia.settings import Settings
from uncia.storage.atomic_dir import atomic_directory

_SERVING = '''\
"""Answers every frame with one and the same stored vector."""

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self._input = config["input"][0]["name"]
        folder = Path(args["model_repository"]) / args["model_version"]
        self._answers = {each["name"]: np.load(folder / f"{each['name']}.npy") for each in config["output"]}

    def execute(self, requests):
        return [self._answer(pb_utils.get_input_tensor_by_name(each, self._input).shape()[0]) for each in requests]

    def _answer(self, frames):
        tensors = [pb_utils.Tensor(name, np.repeat(row, frames, axis=0)) for name, row in self._answers.items()]
        return pb_utils.InferenceResponse(output_tensors=tensors)
'''


def build(repository: Path, settings: Settings) -> None:
    """Make `repository` with a model of the name, card and tensors of the one that these settings name."""
    real = settings.model_repository / settings.model
    with atomic_directory(repository / settings.model) as folder:
        for name in (CONFIG_FILE, LIVE_FILE):
            shutil.copy(real / name, folder)
        for version in read_version_state(real).served:
            _version(real / version, folder / version)


def _version(real: Path, made: Path) -> None:
    made.mkdir()
    for name in (CARD_FILE, LABELS_FILE):
        shutil.copy(real / name, made)
    (made / "model.py").write_text(_SERVING, encoding="utf-8")
    card = read_model_card(real)
    answers = {
        card.whole: card.self_test.whole.unpack()[None],
        card.windows: card.self_test.windows.unpack()[None],
        card.places: np.zeros((1, len(card.labels.classes)), dtype=np.int32),
    }
    for name, row in answers.items():
        np.save(made / f"{name}.npy", row)
