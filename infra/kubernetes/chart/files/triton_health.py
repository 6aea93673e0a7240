# Copied from infra/docker/triton_health.py by `python -m uncia.infra.kubernetes.generate`.
"""Health check of the Triton container: one real inference with each model of the stream, because Triton can report
"ready" while a model is dead.

Runs on the Python of NVIDIA's image, so it uses the standard library only and imports nothing of Uncia. It reads a
model's metadata for its input and outputs, sends one blank frame, and compares the number of output bytes with the
declared shapes. The mounted repository defines the live version, and the frame size where versions differ in it. The
key for inference, where Triton requires one, is in the file UNCIA_TRITON_INFERENCE_KEY next to this program.

Usage: triton_health.py http://127.0.0.1:8000 MODEL[,MODEL...] [timeout of each in seconds] [repository]
"""

import http.client
import json
import math
import sys
import urllib.error
import urllib.request
from pathlib import Path

KEY_FILE = Path(__file__).with_name("UNCIA_TRITON_INFERENCE_KEY")

_SIZES = {"UINT8": 1, "INT32": 4, "FP16": 2, "FP32": 4, "INT64": 8, "FP64": 8}


def live(folder: Path) -> tuple[str, list[int]]:
    """URL suffix of the live version and its frame's shape (height, width, 3); both empty without a repository."""
    try:
        version = json.loads((folder / "live.json").read_bytes())["live"]
        frame = json.loads((folder / version / "model.json").read_bytes())["frame"]
    except OSError:
        return "", []
    return f"/versions/{version}", [frame["height"], frame["width"], 3]


def infer(url: str, model: str, timeout_s: float, repository: Path) -> tuple[int, int]:
    """Infer one blank frame. Returns the number of output bytes received and expected. Raises `OSError`."""
    version, live_shape = live(repository / model)
    model_url = f"{url}/v2/models/{model}{version}"
    key = {"uncia-inference": KEY_FILE.read_text(encoding="ascii").strip() if KEY_FILE.exists() else ""}
    with urllib.request.urlopen(urllib.request.Request(model_url, headers=key), timeout=timeout_s) as response:
        metadata = json.load(response)
    frame = metadata["inputs"][0]
    shape = [1, *(live_shape if -1 in frame["shape"][1:] else frame["shape"][1:])]
    blank = bytes(math.prod(shape) * _SIZES[frame["datatype"]])
    header = json.dumps(
        {
            "inputs": [
                {
                    "name": frame["name"],
                    "shape": shape,
                    "datatype": frame["datatype"],
                    "parameters": {"binary_data_size": len(blank)},
                }
            ],
            "outputs": [{"name": out["name"], "parameters": {"binary_data": True}} for out in metadata["outputs"]],
        }
    ).encode()
    request = urllib.request.Request(
        f"{model_url}/infer",
        data=header + blank,
        headers={
            **key,
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": str(len(header)),
        },
    )
    with urllib.request.urlopen(request, timeout=timeout_s) as response:
        body = response.read()
        json_bytes = int(response.headers["Inference-Header-Content-Length"])
    response_shapes = {out["name"]: out["shape"] for out in json.loads(body[:json_bytes])["outputs"]}
    expected = 0
    for out in metadata["outputs"]:
        # Where versions differ in the number of classes, the metadata has -1 and only the response has the size.
        sizes = response_shapes[out["name"]] if -1 in out["shape"][1:] else [1, *out["shape"][1:]]
        expected += max(1, math.prod(sizes)) * _SIZES[out["datatype"]]
    return len(body) - json_bytes, expected


def main(arguments: list[str]) -> str | None:
    """Check once. Returns None when each model completes one inference, else the first problem in one sentence."""
    url, models = arguments[0], arguments[1].split(",")
    timeout_s = float(arguments[2]) if len(arguments) > 2 else 10.0
    repository = Path(arguments[3] if len(arguments) > 3 else "/models")
    return next((problem for model in models if (problem := check(url, model, timeout_s, repository))), None)


def check(url: str, model: str, timeout_s: float, repository: Path) -> str | None:
    """Infer once with one model. Returns the problem in one sentence; None when the response is complete."""
    try:
        received, expected = infer(url, model, timeout_s, repository)
    except urllib.error.HTTPError as error:
        return f"{model} refused the request: {error.read(500).decode(errors='replace')}"
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        return f"{model} at {url} does not answer: {error}"
    return None if received == expected else f"{model} returned {received} bytes instead of {expected}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
