"""Explain why ONNX Runtime rejects an ONNX graph, and what to do about it."""

import re
from pathlib import Path

MAX_ONNX_BYTES = 2**31 - 1
"""Maximum size of one ONNX file; larger models store their weights in separate files, which are not supported."""

_NO_OPERATOR = re.compile(
    r"No Op registered for (?P<name>\S+) with domain_version of (?P<set>\d+)"
    r"|Fatal error: (?P<foreign>\S+?)\(-?\d+\) is not a registered function/op"
)
_NO_GRAPH = ("Protobuf parsing failed", "No graph was found in the protobuf")


def size_problem(path: Path) -> str:
    """Why the file is too large to be served; empty where it is not. Raises `OSError`."""
    size = path.stat().st_size
    if size <= MAX_ONNX_BYTES:
        return ""
    return (
        f"{path} has {size / 2**30:.1f} GiB: an ONNX file of 2 GiB and more cannot be served; export it in half "
        "precision, or use a smaller network"
    )


def describe_error(error: Exception) -> str:
    """An error of ONNX Runtime in one line: known errors with advice, others without their prefix and paths."""
    message = " ".join(str(error).split())
    if found := _NO_OPERATOR.search(message):
        operator = found["foreign"] or f"{found['name']} in operator set {found['set']}"
        return f"there is no operator {operator}: export the model with standard ONNX operators only"
    if any(text in message for text in _NO_GRAPH):
        return "the file is not ONNX, or incomplete: copy or export it again"
    head, _, rest = message.partition("[ONNXRuntimeError] : ")
    return ((rest.split(" : ", 2)[-1] if rest else head) or type(error).__name__)[:300]
