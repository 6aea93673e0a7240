"""Clients send the keys that their settings have, and Triton's options restrict all but health."""

import asyncio
from pathlib import Path

import grpc
import numpy as np
import pytest

from tests.unit.uncia.serving.fake_triton import CARD, FakeTriton, serving
from uncia.errors import DependencyDown
from uncia.serving.self_tests import self_test_frame
from uncia.serving.triton_access import key_headers, restriction_options
from uncia.serving.triton_client import Classifier, ModelControl, ModelHealth
from uncia.settings import Settings

INFERENCE, CONTROL = "triton-grpc-protocol-uncia-inference", "triton-grpc-protocol-uncia-control"
PROTOCOLS = {
    "metadata",
    "inference",
    "shared-memory",
    "model-config",
    "model-repository",
    "statistics",
    "trace",
    "logging",
}


class Locked(FakeTriton):
    """Requires the inference key `i` for inference, as Triton does."""

    def record(self, request: object, context: grpc.ServicerContext) -> None:
        if ("triton-grpc-protocol-uncia-inference", "i") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAVAILABLE, f"This protocol is restricted, expecting header '{INFERENCE}'")
        super().record(request, context)


@pytest.fixture
def triton() -> FakeTriton:
    return Locked()


def test_without_keys_no_header_is_sent() -> None:
    assert key_headers(Settings(_env_file=None)) == {}


def test_each_key_has_a_header_of_its_own() -> None:
    settings = Settings(_env_file=None, triton_inference_key="i", triton_control_key="c")
    assert key_headers(settings) == {INFERENCE: "i", CONTROL: "c"}


def test_every_protocol_but_health_is_behind_one_of_the_two_keys() -> None:
    options = restriction_options("grpc-restricted-protocol", "i", "c")
    groups = [option.removeprefix("--grpc-restricted-protocol=").split(":") for option in options]
    restricted = [protocol for protocols, _ in groups for protocol in protocols.split(",")]
    assert sorted(restricted) == sorted(PROTOCOLS)
    assert [key for _, key in groups] == ["uncia-inference=i", "uncia-control=c"]


def with_key(settings: Settings, key: str) -> Settings:
    return Settings(**{**settings.model_dump(), "triton_inference_key": key})


def classify(settings: Settings) -> None:
    async def once() -> None:
        classifier = Classifier(settings, CARD)
        try:
            await classifier.classify(self_test_frame(CARD)[np.newaxis])
        finally:
            await classifier.close()

    asyncio.run(once())


def test_the_workers_client_sends_its_key(settings: Settings) -> None:
    classify(with_key(settings, "i"))


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_missing_or_wrong_key_is_named_with_its_setting(settings: Settings, key: str) -> None:
    with pytest.raises(DependencyDown, match="UNCIA_TRITON_INFERENCE_KEY"):
        classify(with_key(settings, key))


def test_a_probe_without_the_key_is_no_reason_to_wait_for_triton_to_start(settings: Settings) -> None:
    with ModelControl(settings) as control:
        assert control.probe(CARD.model).health is ModelHealth.FAILING
    with ModelControl(with_key(settings, "i")) as control:
        assert control.probe(CARD.model).health is ModelHealth.HEALTHY


def test_clients_reach_triton_on_a_socket(triton: FakeTriton, settings: Settings, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/triton.sock:1"
    with serving(triton, address):
        classify(with_key(settings.model_copy(update={"triton": address}), "i"))
