"""What is wrong with an ONNX graph that ONNX Runtime does not take, in words that say what to do."""

import re
from pathlib import Path

MAX_ONNX_BYTES = 2**31 - 1
"""What one ONNX file can hold; larger ones keep their weights in files beside, which would be left behind."""

_NO_OPERATOR = re.compile(
    r"No Op registered for (?P<name>\S+) with domain_version of (?P<set>\d+)"
    r"|Fatal error: (?P<foreign>\S+?)\(-?\d+\) is not a registered function/op"
)
_NO_GRAPH = ("Protobuf parsing failed", "No graph was found in the protobuf")


def size_problem(path: Path) -> str:
    """A sentence where the file is larger than can be served; empty where it is not. Raises `OSError`."""
    size = path.stat().st_size
    if size <= MAX_ONNX_BYTES:
        return ""
    return (
        f"{path} has {size / 2**30:.1f} GiB: an ONNX file of 2 GiB and more cannot be served; export it in half "
        "precision, or take a smaller network"
    )


def describe_error(error: Exception) -> str:
    """What ONNX Runtime says, in one line: what is known in our words, the rest without its prefix and its paths."""
    words = " ".join(str(error).split())
    if found := _NO_OPERATOR.search(words):
        operator = found["foreign"] or f"{found['name']} in operator set {found['set']}"
        return f"it knows no operator {operator}: export the model with standard ONNX operators alone"
    if any(each in words for each in _NO_GRAPH):
        return "that is no ONNX file, or not all of one: copy or export it again"
    head, _, rest = words.partition("[ONNXRuntimeError] : ")
    return ((rest.split(" : ", 2)[-1] if rest else head) or type(error).__name__)[:300]
