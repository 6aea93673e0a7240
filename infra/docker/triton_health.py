"""Health of Triton in its container: one real inference, because a server can say "ready" and answer nobody.

Runs on the Python that NVIDIA's image has, from a mounted file, so: standard library only, and nothing of ours.
Asks the model for its own input and outputs, sends one blank frame, and wants as many bytes back as it was told.
The mounted repository says which version is live, and what its frame is where versions differ in that.
Usage: triton_health.py http://127.0.0.1:8000 species_classifier [seconds] [repository]
"""

import http.client
import json
import math
import sys
import urllib.error
import urllib.request
from pathlib import Path

SIZES = {"UINT8": 1, "INT32": 4, "FP16": 2, "FP32": 4, "INT64": 8, "FP64": 8}


def live(folder: Path) -> tuple[str, list[int]]:
    """The path of the live version, and its frame's shape; empty where the repository is not mounted."""
    try:
        version = json.loads((folder / "live.json").read_bytes())["live"]
        frame = json.loads((folder / version / "model.json").read_bytes())["frame"]
    except OSError:
        return "", []
    return f"/versions/{version}", [frame["height"], frame["width"], 3]


def infer(url: str, model: str, timeout_s: float, repository: Path) -> tuple[int, int]:
    """Bytes of all outputs for one blank frame, and how many there should be. Raises OSError."""
    version, known = live(repository / model)
    asked = f"{url}/v2/models/{model}{version}"
    with urllib.request.urlopen(asked, timeout=timeout_s) as answer:
        described = json.load(answer)
    frame = described["inputs"][0]
    shape = [1, *(known if -1 in frame["shape"][1:] else frame["shape"][1:])]
    blank = bytes(math.prod(shape) * SIZES[frame["datatype"]])
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": frame["name"],
                    "shape": shape,
                    "datatype": frame["datatype"],
                    "parameters": {"binary_data_size": len(blank)},
                }
            ],
            "outputs": [{"name": out["name"], "parameters": {"binary_data": True}} for out in described["outputs"]],
        }
    ).encode()
    request = urllib.request.Request(
        f"{asked}/infer",
        data=head + blank,
        headers={"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))},
    )
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        body = answer.read()
        json_bytes = int(answer.headers["Inference-Header-Content-Length"])
    told = {out["name"]: out["shape"] for out in json.loads(body[:json_bytes])["outputs"]}
    wanted = 0
    for out in described["outputs"]:
        # Where the number of classes varies by version, the answer says it.
        sizes = told[out["name"]] if -1 in out["shape"][1:] else [1, *out["shape"][1:]]
        wanted += max(1, math.prod(sizes)) * SIZES[out["datatype"]]
    return len(body) - json_bytes, wanted


def main(arguments: list[str]) -> str | None:
    """Exit status 0 when Triton answers one inference in full."""
    url, model = arguments[0], arguments[1]
    try:
        got, wanted = infer(
            url,
            model,
            float(arguments[2]) if len(arguments) > 2 else 10.0,
            Path(arguments[3] if len(arguments) > 3 else "/models"),
        )
    except urllib.error.HTTPError as error:
        return f"{model} refuses: {error.read(500).decode(errors='replace')}"
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        return f"{model} at {url} does not answer: {error}"
    return None if got == wanted else f"{model} answered {got} bytes instead of {wanted}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
