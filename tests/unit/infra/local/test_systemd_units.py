"""systemd units: valid for any folder name, stopped in order, on loopback, restarted without limit."""

import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uncia.errors import StackError
from uncia.infra.local import foreground
from uncia.infra.local.stack import Stack
from uncia.infra.local.systemd_command import app
from uncia.infra.local.systemd_unit import Installation, Unit, gateway_unit, stack_unit

ODD = "a clone, 100% 'odd' \"quoted\" $HOME; \\x"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    clone = tmp_path / ODD
    (clone / "bin").mkdir(parents=True)
    python = clone / "bin" / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return Installation(clone, clone / "stack", python, "root", {"JAVA_HOME": "/opt/java 17"})


def values(unit: Unit, name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.text.splitlines() if line.startswith(f"{name}=")]


@pytest.mark.parametrize("system", [True, False])
def test_systemd_accepts_the_units_for_any_folder_name(
    installation: Installation, system: bool, tmp_path: Path
) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    photographs = tmp_path / "photo graphs %n"
    photographs.mkdir()
    units = [
        stack_unit(installation, system=system),
        gateway_unit(installation, photographs, "ridge 5%", system=system),
    ]
    for unit in units:
        file = tmp_path / unit.name
        file.write_text(unit.text, encoding="utf-8")
        checked = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True, check=False
        )
        complaints = [line for line in checked.stderr.splitlines() if unit.name in line]
        assert (complaints, checked.returncode) == ([], 0), unit.text


def test_the_stack_unit_notifies_readiness_and_stops_in_order(installation: Installation) -> None:
    unit = stack_unit(installation, system=True)
    assert values(unit, "Type") == ["notify"]
    assert values(unit, "KillMode") == ["mixed"]
    assert values(unit, "Restart") == ["on-failure"]
    assert values(unit, "StartLimitIntervalSec") == ["0"]
    assert values(unit, "OOMPolicy") == ["continue"]
    assert (values(unit, "IPAddressAllow"), values(unit, "IPAddressDeny")) == (["localhost"], ["any"])
    assert values(unit, "User") == ["root"]
    assert values(unit, "WantedBy") == ["multi-user.target"]


def test_a_user_unit_has_no_user_and_is_wanted_by_the_user_manager(installation: Installation) -> None:
    unit = stack_unit(installation, system=False)
    assert values(unit, "User") == []
    assert values(unit, "WantedBy") == ["default.target"]
    assert "loginctl enable-linger" in " ".join(unit.enable_commands())


def test_percent_signs_dollars_and_quotes_are_escaped(installation: Installation) -> None:
    command = values(stack_unit(installation, system=True), "ExecStart")[0]
    assert "100%% 'odd' \\\"quoted\\\" $$HOME; \\\\x/bin/python" in command


def test_no_credential_is_in_a_unit(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNCIA_S3_SECRET_KEY", "secret")
    monkeypatch.chdir(tmp_path)
    assert "secret" not in stack_unit(Installation.here(tmp_path), system=True).text


def test_a_name_with_a_newline_is_refused(installation: Installation) -> None:
    with pytest.raises(StackError, match="cannot hold"):
        gateway_unit(installation, Path("/photographs\n[Service]"), "ridge", system=True)


def test_special_characters_of_a_station_are_replaced_in_the_unit_name(installation: Installation) -> None:
    assert gateway_unit(installation, Path("/p"), "Köln/../x", system=True).name == "uncia-gateway-K-ln----x.service"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".local" / "parts").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("UNCIA_PARTS_DIR", raising=False)
    return tmp_path


def test_install_writes_nothing_without_the_write_option(clone: Path) -> None:
    file = clone / "config" / "systemd" / "user" / "uncia.service"
    shown = CliRunner().invoke(app, ["install"])
    assert shown.exit_code == 0
    assert "[Service]" in shown.stdout
    assert "enable --now uncia.service" in shown.output
    assert not file.exists()
    assert CliRunner().invoke(app, ["status"]).exit_code == 1

    assert CliRunner().invoke(app, ["install", "--write"]).exit_code == 0
    assert file.read_text().splitlines() == shown.stdout.splitlines()[1 : len(file.read_text().splitlines()) + 1]
    assert "as this version writes it" in CliRunner().invoke(app, ["status"]).output
    assert f"rm {file}" in CliRunner().invoke(app, ["remove"]).output
    assert file.exists()


def test_a_gateway_unit_needs_a_station_and_an_existing_folder(clone: Path) -> None:
    assert isinstance(CliRunner().invoke(app, ["install", "--gateway", str(clone)]).exception, StackError)
    assert isinstance(CliRunner().invoke(app, ["install", "--station", "ridge"]).exception, StackError)
    missing = ["install", "--gateway", str(clone / "none"), "--station", "ridge"]
    assert isinstance(CliRunner().invoke(app, missing).exception, StackError)


class FakeStack(Stack):
    """A stack whose `is_supervised` returns the given values in turn."""

    def __init__(self, *supervised: bool | None) -> None:
        self.calls: list[str] = []
        self._supervised = list(supervised)

    def up(self, *_: object, **__: object) -> None:
        self.calls.append("up")

    def down(self) -> None:
        self.calls.append("down")

    def is_supervised(self) -> bool | None:
        return self._supervised.pop(0)


def run(stack: FakeStack, stop: threading.Event | None = None) -> int:
    return foreground.run(stack, stop or threading.Event(), stack.calls.append, poll_interval_s=0)


def test_a_dead_supervisord_ends_the_unit_with_an_error_so_that_systemd_restarts_it() -> None:
    stack = FakeStack(True, False, True, False, False, False)
    assert run(stack) == 1
    assert stack.calls == ["up", "READY=1\nSTATUS=All parts are ready"]


def test_a_stack_that_was_stopped_by_a_command_stays_down() -> None:
    assert run(FakeStack(True, None)) == 0


def test_systemd_stops_the_stack_in_order() -> None:
    stop = threading.Event()
    stop.set()
    stack = FakeStack()
    assert run(stack, stop) == 0
    assert stack.calls[-2:] == ["STOPPING=1", "down"]
