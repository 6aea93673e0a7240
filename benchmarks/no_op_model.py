"""A no-op model in place of the real one, for measurements of the stream without the model.

It has the same repository layout, model card, label set, tensors, queue and priorities, and runs in Triton's python
backend too. For every frame it returns the expected output of the real model's self-test, so health checks pass.
"""

import shutil
from pathlib import Path

import numpy as np

from uncia.serving.model_card import read_model_card
from uncia.serving.model_versions import CARD_FILE, CONFIG_FILE, LABELS_FILE, LIVE_FILE, read_version_state
from uncia.settings import Settings
from uncia.storage.atomic_dir import atomic_directory

_MODEL = '''\
"""Returns the same stored vectors for every frame."""

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self._input = config["input"][0]["name"]
        folder = Path(args["model_repository"]) / args["model_version"]
        self._rows = {out["name"]: np.load(folder / f"{out['name']}.npy") for out in config["output"]}

    def execute(self, requests):
        inputs = [pb_utils.get_input_tensor_by_name(request, self._input) for request in requests]
        return [self._response(frames.shape()[0]) for frames in inputs]

    def _response(self, frames):
        tensors = [pb_utils.Tensor(name, np.repeat(row, frames, axis=0)) for name, row in self._rows.items()]
        return pb_utils.InferenceResponse(output_tensors=tensors)
'''


def build(repository: Path, settings: Settings) -> None:
    """Create `repository` with a no-op model that has the name, card and tensors of the model in these settings."""
    real = settings.model_repository / settings.model
    with atomic_directory(repository / settings.model) as folder:
        for name in (CONFIG_FILE, LIVE_FILE):
            shutil.copy(real / name, folder)
        for version in read_version_state(real).served:
            _version(real / version, folder / version)


def _version(real: Path, target: Path) -> None:
    target.mkdir()
    for name in (CARD_FILE, LABELS_FILE):
        shutil.copy(real / name, target)
    (target / "model.py").write_text(_MODEL, encoding="utf-8")
    card = read_model_card(real)
    rows = {
        card.whole: card.self_test.whole.unpack()[None],
        card.windows: card.self_test.windows.unpack()[None],
        card.places: np.zeros((1, len(card.labels.classes)), dtype=np.int32),
    }
    for name, row in rows.items():
        np.save(target / f"{name}.npy", row)
