"""`uncia models list` and `check`, from the outside."""

import json
import subprocess
import sys
from collections.abc import Callable

import grpc
import pytest
from typer.testing import CliRunner, Result

from tests.unit.uncia.serving.fake_triton import FakeTriton, fails
from tests.waiting import SCALE
from uncia.commands.models import app
from uncia.settings import Settings

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("UNCIA_TRITON", settings.triton)
    monkeypatch.setenv("UNCIA_MODEL_REPOSITORY", str(settings.model_repository))
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_check_ends_well_when_every_model_answers(run: Run) -> None:
    result = run("check")

    assert result.exit_code == 0
    assert "healthy     three_kinds: version 7 answers its self-test" in result.stdout


def test_check_fails_and_says_what_to_do(run: Run, triton: FakeTriton) -> None:
    triton.behaviour = fails(grpc.StatusCode.INTERNAL, "Stub process 'x' is not healthy.")
    result = run("check")

    assert result.exit_code == 1
    assert "`uncia models check --reload` loads it anew" in result.stdout


def test_check_reload_cures_a_dead_stub(run: Run, triton: FakeTriton) -> None:
    dead = fails(grpc.StatusCode.INTERNAL, "Stub process 'x' is not healthy.")
    triton.behaviour = lambda context: None if "load three_kinds" in triton.calls else dead(context)

    assert run("check", "--reload").exit_code == 0


def test_check_speaks_json(run: Run) -> None:
    (answer,) = json.loads(run("check", "--json").stdout)

    assert (answer["model"], answer["health"], answer["version"]) == ("three_kinds", "healthy", "7")


def test_list_compares_both_sides(run: Run) -> None:
    (line,) = json.loads(run("list", "--json").stdout)

    assert (line["model"], line["version"], line["state"]) == ("three_kinds", "1", "READY")


def test_list_still_shows_the_repository_when_triton_is_away(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNCIA_TRITON", "127.0.0.1:1")
    result = run("list")

    assert result.exit_code == 0
    assert "unknown" in result.stdout


def test_listing_and_checking_need_no_torch() -> None:
    probe = (
        "import sys, uncia.commands.models; print([m for m in ('torch', 'onnxruntime', 'onnx') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=SCALE * 30
    )

    assert answer.stdout.strip() == "[]"
