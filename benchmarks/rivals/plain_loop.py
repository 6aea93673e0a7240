"""Pillow and ONNX Runtime in two processes, each with one thread: the least that this work can cost.

Run in an environment of its own, with a folder of bursts, an ONNX file and the number of processes.
"""

import multiprocessing
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SIDE, _BATCH = 224, 8
_BURST = re.compile(r"(burst_\d+)_\d+\.jpg")


def frame(path: Path) -> Any:
    """The tensor of one photograph: a decode at the scale that is needed, bilinear, (x - 127) / 128, channels first."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as picture:
        picture.draft("RGB", (_SIDE, _SIDE))
        small = picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return ((np.asarray(small, np.float32) - 127.0) / 128.0).transpose(2, 0, 1)


def classify(session: Any, paths: list[Path]) -> Iterator[tuple[str, Any]]:
    """Burst and class probabilities of each photograph."""
    import numpy as np

    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        scores = session.run(["scores"], {"picture": np.stack([frame(path) for path in batch])})[0]
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        for path, row in zip(batch, raised / raised.sum(axis=1, keepdims=True), strict=True):
            found = _BURST.fullmatch(path.name)
            assert found is not None
            yield found.group(1), row


def work(graph: str, paths: list[Path], ready: Any, go: Any, done: Any) -> None:
    """One process: loads the model, waits for all others, and classifies whole bursts."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    list(classify(session, paths[:_BATCH]))
    ready.put(None)
    go.wait()
    sums: dict[str, Any] = {}
    for burst, row in classify(session, paths):
        sums[burst] = sums[burst] + row if burst in sums else row
    done.put(len(sums))


def main(folder: str, graph: str, processes: int) -> None:
    """Print `begin` when all processes are ready, and `end` when all bursts have their mean."""
    paths = sorted(Path(folder).glob("burst_*.jpg"))
    bursts = sorted({path.name.rpartition("_")[0] for path in paths})
    context = multiprocessing.get_context("spawn")
    ready, done, go = context.Queue(), context.Queue(), context.Event()
    for number in range(processes):
        own = set(bursts[number::processes])
        mine = [path for path in paths if path.name.rpartition("_")[0] in own]
        context.Process(target=work, args=(graph, mine, ready, go, done)).start()
    for _ in range(processes):
        ready.get()
    print("begin", flush=True)
    go.set()
    counted = sum(done.get() for _ in range(processes))
    print("end", flush=True)
    if counted != len(bursts):
        sys.exit(f"{counted} of {len(bursts)} bursts")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
