"""`uncia connect` with a stack that is down: which key it uses, what it prints and writes, and what it refuses."""

import json
import stat
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from uncia.errors import UnciaError
from uncia.infra.connect.command import connect
from uncia.infra.local.certificates import ensure_certificates
from uncia.infra.local.credentials import ensure_keys
from uncia.infra.local.stack import Stack
from uncia.infra.local.stack_identity import ensure_identity


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that was started once and is down, in a folder with a blank and a quote."""
    folder = tmp_path / "anna's stack"
    folder.mkdir()
    monkeypatch.setenv("UNCIA_STACK_DIR", str(folder))
    ensure_identity(folder, folder / "gone")
    ensure_keys(folder)
    ensure_certificates(folder)
    (folder / "lock").touch()
    stack = Stack(folder)
    stack.write_operator_environment()
    return stack


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(connect)
    return CliRunner().invoke(app, list(arguments))


def test_all_clients_are_described_with_the_operators_key(stack: Stack) -> None:
    done = run()
    assert done.exit_code == 0, done.stderr
    headings = [line.removeprefix("# === ") for line in done.stdout.splitlines() if line.startswith("# === ")]
    stores = ["aws", "rclone", "s3cmd", "mc", "s5cmd", "boto3", "curl", "cyberduck"]
    kafkas = ["kcat", "kafka-python", "confluent-kafka", "kafkajs", "java"]
    assert headings == [*stores, *kafkas, "triton-http", "triton-grpc"]
    operator = stack.require_keys().credentials["operator"]
    assert operator.secret_key in done.stdout and operator.kafka_password in done.stdout
    assert "SECRET contain your own key" in done.stderr


def test_the_control_key_of_triton_is_never_in_it(stack: Stack) -> None:
    internal = stack.require_keys().internal
    done = run("triton-http", "triton-grpc")
    assert internal.triton_inference in done.stdout
    assert internal.triton_control not in done.stdout


def test_a_board_gets_a_key_that_stores_photographs_of_its_station_and_reads_nothing(
    stack: Stack, tmp_path: Path
) -> None:
    done = run("--for", "gateway", "--station", "ridge", "--endpoint", "https://store.example.org/")
    assert done.exit_code == 0, done.stderr
    own = stack.require_keys().credentials["uploader-ridge"]
    assert f"UNCIA_S3_SECRET_KEY={own.secret_key}" in done.stdout
    assert "UNCIA_S3_ENDPOINT=https://store.example.org" in done.stdout
    assert "uncia gateway watch /srv/photos --station ridge" in done.stdout
    assert "uploader-ridge, with which anybody may store objects below ridge/" in done.stderr
    assert "this machine alone" not in done.stderr
    again = run("rclone", "--for", "gateway", "--station", "ridge")
    assert own.secret_key in again.stdout and "no_head = true" in again.stdout
    assert "127.0.0.1 is this machine alone" in again.stderr


def test_files_are_written_instead_of_printed(stack: Stack, tmp_path: Path) -> None:
    folder = tmp_path / "for anna"
    done = run("kcat", "s3cmd", "--output", str(folder))
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == {"kcat.conf", "s3cmd.conf", "ca.pem"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    operator = stack.require_keys().credentials["operator"]
    assert operator.secret_key not in done.output and operator.kafka_password not in done.output
    assert f"s3cmd --config '{folder}/s3cmd.conf' put" in done.stdout


def test_a_subscriber_gets_kafka_alone_and_a_group_of_its_own(stack: Stack) -> None:
    done = run("--for", "subscriber", "--name", "map-office", "--json")
    assert done.exit_code == 0, done.stderr
    described = {row["client"]: row for row in json.loads(done.stdout)}
    assert set(described) == {"kcat", "kafka-python", "confluent-kafka", "kafkajs", "java"}
    java = described["java"]["files"][0]["text"]
    assert 'username\\="subscriber-map-office"' not in java
    assert 'username="subscriber-map-office"' in java
    assert "group.id=subscriber-map-office" in java


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ftp"], "'ftp' is none of the clients"),
        (["--for", "nobody", "--name", "x"], "'nobody' is no role"),
        (["--for", "gateway"], "needs `--station STATION`"),
        (["--for", "subscriber", "--station", "ridge"], "needs `--station STATION`"),
        (["--station", "ridge"], "without `--for` neither is used"),
        (["aws", "--for", "subscriber", "--name", "x"], "aws is of no use with the key subscriber-x"),
        (["kcat", "--for", "gateway", "--station", "x"], "kcat is of no use with the key uploader-x"),
        (["aws", "--endpoint", "ftp://x"], "is not the URL of an object store"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_reason(stack: Stack, arguments: list[str], reason: str) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, UnciaError)
    assert reason in str(done.exception)


def test_a_check_of_a_stack_that_is_down_says_what_does_not_answer_and_fails(stack: Stack) -> None:
    done = run("aws", "--check", "--json")
    assert done.exit_code == 1
    checks = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(checks) == {"store: read", "store: write"}
    assert all(not row["ok"] and "does not answer" in row["detail"] for row in checks.values())


def test_a_part_that_the_settings_do_not_describe_fails_the_check_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path / "none"))
    for name in ("UNCIA_S3_ACCESS_KEY", "UNCIA_S3_SECRET_KEY", "UNCIA_S3_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    done = run("rclone", "--check")
    assert done.exit_code == 1
    assert "there is no key for the object store" in done.stdout
    assert isinstance(run("rclone").exception, UnciaError)
