"""Serve one ONNX graph through Triton's python backend. The repository contains it as `<model>/<version>/model.py`.

Triton's own onnxruntime backend is not in every build; this file serves the same repository wherever the python backend
is available. It runs in a process of its own, in Triton's Python: it may import NumPy, onnxruntime and Triton's helper
only. Tensor names come from the model's configuration, so one file serves any graph with these names.
"""

import contextlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils

NICENESS = 10


class TritonPythonModel:
    """One instance of the model: Triton calls `initialize` once and `execute` with every batch."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph; Triton reports an exception as the reason why the model is not ready."""
        _keep_shared_memory_private()
        config = json.loads(args["model_config"])
        self._input: str = config["input"][0]["name"]
        low_priority = config.get("parameters", {}).get("beside", {}).get("string_value", "")
        if args["model_version"] in low_priority.split(","):
            # A shadow's version has its own process, which must leave the cores to the live version's.
            os.nice(NICENESS)
        self._outputs: list[str] = [output["name"] for output in config["output"]]
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        providers = _providers(args)
        cores = len(os.sched_getaffinity(0))
        # On a CPU a batch saves no work, and threads that share the layers of one frame wait for each other: one
        # frame per core takes a fifth less time and a third of the memory. A GPU needs the whole batch.
        self._frame_by_frame = len(providers) == 1
        self._session = onnxruntime.InferenceSession(str(path), _options(), providers=providers)
        self._pool = ThreadPoolExecutor(cores, thread_name_prefix="frame")
        found = {tensor.name for tensor in (*self._session.get_inputs(), *self._session.get_outputs())}
        missing = {self._input, *self._outputs} - found
        if missing:
            raise ValueError(f"{path.name} has no tensors {sorted(missing)}; it has {sorted(found)}")

    def execute(self, requests: list[Any]) -> list[Any]:
        """The responses to the requests that Triton batched, in their order."""
        try:
            frames = [pb_utils.get_input_tensor_by_name(request, self._input).as_numpy() for request in requests]
            outputs = self._run(frames)
        except Exception as error:
            # In older servers an exception ends the process; one failed batch must not.
            failure = pb_utils.TritonError(f"{type(error).__name__}: {error}")
            return [pb_utils.InferenceResponse(error=failure) for _ in requests]
        responses, begin = [], 0
        for frame in frames:
            end = begin + frame.shape[0]
            tensors = [
                pb_utils.Tensor(name, np.ascontiguousarray(output[begin:end]))
                for name, output in zip(self._outputs, outputs, strict=True)
            ]
            responses.append(pb_utils.InferenceResponse(output_tensors=tensors))
            begin = end
        return responses

    def finalize(self) -> None:
        """Called when Triton unloads the model."""
        self._pool.shutdown()

    def _run(self, arrays: Sequence[Any]) -> list[Any]:
        """The outputs for all frames of several arrays, in order: one array per output name."""
        if self._frame_by_frame:
            arrays = [array[index : index + 1] for array in arrays for index in range(len(array))]
        if len(arrays) == 1:
            return self._infer(arrays[0])
        if not self._frame_by_frame:
            return self._infer(np.concatenate(arrays))
        return [np.concatenate(parts) for parts in zip(*self._pool.map(self._infer, arrays), strict=True)]

    def _infer(self, frames: Any) -> list[Any]:
        outputs: list[Any] = self._session.run(self._outputs, {self._input: frames})
        return outputs


def _keep_shared_memory_private() -> None:
    """Let only the owner read the frames and scores that Triton exchanges with this process.

    Boost, which creates the memory, lets every user read it, whatever the umask (server 2.51).
    """
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    for path in {fields[5] for fields in (line.split(maxsplit=5) for line in maps) if len(fields) == 6}:
        if path.startswith("/dev/shm/"):
            # A deleted file has a suffix in this list; it cannot be opened.
            with contextlib.suppress(FileNotFoundError):
                Path(path).chmod(0o600)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # No threads of its own: it computes in the calling threads.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return options


def _providers(args: dict[str, str]) -> list[Any]:
    """The GPU that Triton assigned to this instance, where this ONNX Runtime supports it; else the CPU."""
    if args.get("model_instance_kind") == "GPU" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        device = {"device_id": args.get("model_instance_device_id", "0")}
        return [("CUDAExecutionProvider", device), "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]
