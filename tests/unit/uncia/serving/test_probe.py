"""Health is a real inference, compared with what the model must answer."""

import os

import grpc
import numpy as np
import pytest

from tests.unit.uncia.serving.fake_triton import FakeTriton, fails
from uncia.errors import DependencyDown, SettingsError
from uncia.serving.triton_client import ModelControl, ModelHealth, ProbeResult
from uncia.settings import Settings

MODEL = "three_kinds"


def probe(settings: Settings) -> ProbeResult:
    with ModelControl(settings) as control:
        return control.probe(MODEL)


def test_a_model_that_answers_its_self_test_is_healthy(settings: Settings) -> None:
    answer = probe(settings)

    assert answer.healthy
    assert answer.version == "7"


def test_a_dead_stub_is_distinguished_from_an_unreachable_triton(settings: Settings, triton: FakeTriton) -> None:
    triton.behaviour = fails(grpc.StatusCode.INTERNAL, "Failed to process: Stub process 'x_0_0' is not healthy.")
    dead = probe(settings)
    absent = probe(settings.model_copy(update={"triton": "127.0.0.1:1"}))

    assert (dead.health, dead.reload_may_help) == (ModelHealth.DEAD, True)
    assert (absent.health, absent.reload_may_help) == (ModelHealth.UNREACHABLE, False)


def test_a_model_that_is_not_loaded_says_so(settings: Settings, triton: FakeTriton) -> None:
    triton.behaviour = fails(grpc.StatusCode.UNAVAILABLE, "Request for unknown model: 'x' has no available versions")

    assert probe(settings).health is ModelHealth.NOT_LOADED


@pytest.mark.parametrize("wrong", [0.5, np.nan])
def test_another_answer_than_the_stored_one_is_wrong(settings: Settings, triton: FakeTriton, wrong: float) -> None:
    triton.windows = np.array([wrong, 0.5, 0.5], dtype=np.float32)

    assert probe(settings).health is ModelHealth.WRONG


def test_a_difference_within_the_tolerance_is_the_same_answer(settings: Settings, triton: FakeTriton) -> None:
    triton.whole = triton.whole + np.float32(0.009)

    assert probe(settings).healthy


def test_no_bytes_at_all_are_wrong(settings: Settings, triton: FakeTriton) -> None:
    triton.whole = triton.windows = np.zeros(0, dtype=np.float32)

    assert probe(settings).health is ModelHealth.WRONG


def test_an_unknown_model_is_named(settings: Settings) -> None:
    with ModelControl(settings) as control, pytest.raises(SettingsError, match="uncia models build"):
        control.probe("no_such_model")


def test_a_reload_unloads_and_loads_at_once(settings: Settings, triton: FakeTriton) -> None:
    with ModelControl(settings) as control:
        control.reload(MODEL)

    assert triton.calls == [f"unload {MODEL}", f"load {MODEL}"]


def test_reviving_a_version_loads_it_as_the_newer_one_and_unloads_nothing(
    settings: Settings, triton: FakeTriton
) -> None:
    folder = settings.model_repository / MODEL / "1"
    os.utime(folder, (0, 0))
    with ModelControl(settings) as control:
        control.reload_version(MODEL, "1")

    assert triton.calls == [f"load {MODEL}"]
    assert folder.stat().st_mtime > 0


def test_a_version_that_is_gone_cannot_be_revived(settings: Settings) -> None:
    with (
        ModelControl(settings) as control,
        pytest.raises(DependencyDown, match=r"cannot set the modification time of \S*9"),
    ):
        control.reload_version(MODEL, "9")


def test_lists_what_triton_serves(settings: Settings) -> None:
    with ModelControl(settings) as control:
        lines = control.list_served()

    assert [(line.model, line.version, line.state) for line in lines] == [(MODEL, "1", "READY")]
