"""The front door: fast, one sentence for what is missing, no traceback for what the user can mend."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
import structlog
import typer
from typer.testing import CliRunner

from tests.waiting import SCALE
from uncia import __version__
from uncia.commands import main as cli
from uncia.errors import SettingsError, UnciaError


def app_with(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint, named: str = "") -> typer.Typer:
    monkeypatch.setattr(cli, "entry_points", lambda group: points)
    return cli.build([named] if named else [])


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=cli.GROUP)


@pytest.mark.parametrize("extra", ["processors", "models", "local"])
def test_an_absent_extra_gives_one_sentence_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    app = app_with(monkeypatch, point("thing", f"uncia.absent:app [{extra}]"), named="thing")
    with pytest.raises(UnciaError) as caught:
        CliRunner().invoke(app, ["thing", "--any", "option"], catch_exceptions=False)
    assert f"pip install '.[{extra}]'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_help_of_a_base_installation_names_the_extra_in_its_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    points = (point("absent", "uncia.absent:app [local]"), point("settings", "uncia.commands.settings:app"))
    for arguments in (["--help"], ["absent", "--help"]):
        named = arguments[0] if arguments[0] == "absent" else ""
        output = CliRunner().invoke(app_with(monkeypatch, *points, named=named), arguments).output
        assert "'.[local]'" in " ".join(output.replace("│", " ").split())


def test_an_absent_extra_leaves_the_other_commands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    points = (point("absent", "uncia.absent:app [processors]"), point("settings", "uncia.commands.settings:app"))
    result = CliRunner().invoke(app_with(monkeypatch, *points), ["--help"])
    assert result.exit_code == 0
    assert "absent" in result.output
    assert "settings" in result.output


def test_only_the_named_command_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    points = (point("broken", "json:no_such_thing"), point("settings", "uncia.commands.settings:app"))
    app_with(monkeypatch, *points, named="settings")


@pytest.mark.parametrize(
    ("error", "status"), [(UnciaError("Kafka is away: start it"), 1), (SettingsError("invalid settings: X"), 2)]
)
def test_our_own_errors_are_one_line_and_an_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: UnciaError, status: int
) -> None:
    def refuse(arguments: list[str]) -> typer.Typer:
        raise error

    monkeypatch.setattr(cli, "build", refuse)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == status
    assert capsys.readouterr().err == f"uncia: {error}\n"


@pytest.mark.parametrize(
    ("module", "extra"), [("tritonclient.grpc", "processors"), ("PIL.Image", "processors"), ("torch", "models")]
)
def test_what_an_extra_brings_and_is_missed_later_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str, extra: str
) -> None:
    def miss(arguments: list[str]) -> typer.Typer:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(cli, "build", miss)
    with pytest.raises(SystemExit):
        cli.main()
    shown = capsys.readouterr().err
    assert f"pip install '.[{extra}]'" in shown
    assert shown.count("\n") == 1


def test_a_module_of_our_own_that_is_missing_is_a_bug_and_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def miss(arguments: list[str]) -> typer.Typer:
        raise ModuleNotFoundError("No module named 'uncia.absent'", name="uncia.absent")

    monkeypatch.setattr(cli, "build", miss)
    with pytest.raises(ModuleNotFoundError):
        cli.main()


def uncia(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "uncia", *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=SCALE * 30,
    )


def test_a_wrong_setting_stops_a_command_and_names_the_variable() -> None:
    ended = uncia("settings", "show", UNCIA_PARTITIONS="many")
    assert ended.returncode == 2
    assert "UNCIA_PARTITIONS" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_version_is_printed_without_loading_any_command(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_with(monkeypatch, point("broken", "json:no_such_thing"), named="--version")
    assert CliRunner().invoke(app, ["--version"]).output.strip() == __version__


def test_a_warning_is_a_line_on_standard_error_and_never_in_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        cli._log_to_stderr()
        structlog.get_logger("uncia").warning("not a deployment", key="\x1b[2J\n[/x]")
        structlog.get_logger("uncia").info("nothing to see")
    finally:
        structlog.reset_defaults()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "warning: not a deployment key=\\x1b[2J\\n[/x]\n"
