"""The keys with which Triton's clients identify themselves, and the options of a Triton that requires them.

Triton knows no users: it compares a header of each request with a value from its command line, one header for each
group of protocols. A client sends the keys that its settings have; a Triton without restrictions ignores them.
"""

from uncia.access import TritonRight
from uncia.settings import Settings

__all__ = ["header_name", "http_headers", "key_headers", "restriction_options"]

_GRPC_PREFIX = "triton-grpc-protocol-"
"""Triton's own prefix of header names in gRPC."""

_PROTOCOLS: dict[TritonRight, tuple[str, ...]] = {
    TritonRight.INFERENCE: ("inference", "metadata", "model-config"),
    TritonRight.CONTROL: ("model-repository", "shared-memory", "trace", "logging", "statistics"),
}
"""Triton's names of the protocols behind each key (server 2.51). The one left out is `health`."""


def header_name(right: TritonRight) -> str:
    """The header of a key, as an HTTP client sends it."""
    return f"uncia-{right.value}"


def key_headers(settings: Settings) -> dict[str, str]:
    """The headers of a gRPC request with these settings: one for each key that they have."""
    keys = {
        TritonRight.INFERENCE: settings.triton_inference_key,
        TritonRight.CONTROL: settings.triton_control_key,
    }
    return {f"{_GRPC_PREFIX}{header_name(right)}": key.get_secret_value() for right, key in keys.items() if key}


def http_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers of an HTTP request, from those of a gRPC request."""
    return {name.removeprefix(_GRPC_PREFIX): value for name, value in headers.items()}


def restriction_options(option: str, inference_key: str, control_key: str) -> list[str]:
    """Options of `tritonserver` that restrict every protocol but health.

    `option` is `grpc-restricted-protocol` or `http-restricted-api`.
    """
    keys = {TritonRight.INFERENCE: inference_key, TritonRight.CONTROL: control_key}
    return [f"--{option}={','.join(_PROTOCOLS[right])}:{header_name(right)}={key}" for right, key in keys.items()]
