"""Configuration of clients of Triton over HTTP and gRPC. Pure."""

import shlex
from collections.abc import Callable
from pathlib import Path

from uncia.infra.connect.access import TritonAccess
from uncia.infra.connect.configuration import ClientConfiguration, ClientFile, shell_path
from uncia.infra.connect.quoting import curl_value
from uncia.serving.triton_access import http_headers

__all__ = ["TRITON_CLIENTS"]


def _http(access: TritonAccess, folder: Path) -> ClientConfiguration:
    headers = http_headers(access.headers)
    lines = [
        *(f"header = {curl_value(f'{name}: {value}')}" for name, value in headers.items()),
        # The keys must not reach a proxy.
        'noproxy = "*"',
        "fail",
        "show-error",
    ]
    notes = ["Prepare a request as docs/predict-service.md describes; without a version, Triton takes the highest one."]
    if not access.http:
        notes.append(
            "This Triton does not serve HTTP: set UNCIA_TRITON_SERVE_HTTP=true in stack.env, and start the stack "
            "again. Every user of this machine can then read the keys (docs/keys.md)."
        )
    url = shlex.quote(f"http://{access.http or 'HOST:PORT'}/v2/models/{access.model}")
    return ClientConfiguration(
        "triton-http",
        (ClientFile("triton-http.conf", "\n".join([*lines, ""])),),
        (f"curl --config {shell_path(folder / 'triton-http.conf')} {url}",),
        tuple(notes),
    )


def _grpc(access: TritonAccess, folder: Path) -> ClientConfiguration:
    program = f'''\
"""Prints the inputs and outputs of a model. Pass `headers` to `infer` as well."""

import tritonclient.grpc as triton

headers = {access.headers!r}  # secret
with triton.InferenceServerClient({access.grpc!r}) as client:
    print(client.get_model_metadata({access.model!r}, headers=headers, client_timeout=10))
'''
    return ClientConfiguration(
        "triton-grpc",
        (ClientFile("triton_grpc.py", program),),
        (f"python {shell_path(folder / 'triton_grpc.py')}",),
        ("It needs `pip install 'tritonclient[grpc]'`. The request of a photograph is in docs/predict-service.md.",),
    )


TRITON_CLIENTS: dict[str, Callable[[TritonAccess, Path], ClientConfiguration]] = {
    "triton-http": _http,
    "triton-grpc": _grpc,
}
"""By name: renders the configuration, whose commands find the files in a folder."""
