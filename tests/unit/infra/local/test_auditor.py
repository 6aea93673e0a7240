"""The auditor follows the broker's file, and reads what the object store sends to its socket."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import SCALE, wait_until
from uncia.audit import audit_file, read_audit
from uncia.infra.local.auditor import EntryDecoder, FollowedFile
from uncia.infra.local.part_log import access_file


def test_a_file_is_followed_over_unfinished_lines_and_renaming(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with closing(FollowedFile(path)) as followed:
        assert list(followed.lines()) == []
        with path.open("a") as log:
            log.write("one\ntw")
        assert list(followed.lines()) == ["one"]
        with path.open("a") as log:
            log.write("o\nthree\n")
        path.rename(tmp_path / "access.log.1")
        assert list(followed.lines()) == ["two", "three"]
        path.write_text("four\n")
        assert list(followed.lines()) == ["four"]


def message(entry: dict[str, Any]) -> bytes:
    """As SeaweedFS 4.48 sends it."""
    return json.dumps(["s3.access", 1796050026, entry, {}], ensure_ascii=False).encode()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_entries_are_decoded_wherever_the_connection_cuts_them(size: int) -> None:
    sent = [{"key": 'ünï/"][{'}, {"key": "b"}]
    data, decoder = b"".join(map(message, sent)), EntryDecoder()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [entry for piece in pieces for entry in decoder.decode(piece)] == sent


@pytest.mark.parametrize("data", [b"[1]", b"{}", b"x" * 1_100_000], ids=["array", "object", "endless"])
def test_another_protocol_ends_the_connection(data: bytes) -> None:
    with pytest.raises(ValueError):
        list(EntryDecoder().decode(data))


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def auditor(tmp_path: Path, sockets: Path) -> Iterator[Path]:
    """The process; yields the folder of its stack."""
    (tmp_path / "logs").mkdir()
    environment = {
        **os.environ,
        "UNCIA_STACK_DIR": str(tmp_path),
        "UNCIA_READY_FILE": str(tmp_path / "ready"),
    }
    command = [sys.executable, "-m", "uncia.infra.local.auditor", str(sockets / "audit.sock")]
    process = subprocess.Popen(command, env=environment)
    try:
        wait_until((tmp_path / "ready").exists, SCALE * 30, "the auditor to start")
        yield tmp_path
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(SCALE * 10) == 0


def test_it_writes_what_the_broker_says_into_the_audit_log_of_the_stack(auditor: Path) -> None:
    line = (
        "2026-11-30T14:47:06Z Principal = User:ranger-anna is Allowed operation = READ from host = 127.0.0.1 on "
        "resource = Topic:LITERAL:camera.deployment.changed.v1 "
        "for request = Fetch with resourceRefCount = 1 based on rule X\n"
    )
    access_file(auditor / "logs", "kafka").write_text(line)

    wait_until(lambda: actions(auditor) == {"key_used", "positions_read"}, SCALE * 20, "two records")


REFUSED = {
    "requester": "uncia/operator", "operation": "REST.DELETE.OBJECT", "key": "ridge/a.jpg", "status": 403,
    "error_code": "AccessDenied", "remote_ip": "127.0.0.1", "time": 1796050026,
}  # fmt: skip


def test_it_writes_what_the_store_says_into_the_audit_log_also_after_a_message_that_it_cannot_read(
    auditor: Path, sockets: Path
) -> None:
    for data in (b"GET / HTTP/1.1\r\n", b"[1]", message({"status": "x"}), message(REFUSED)):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(sockets / "audit.sock"))
            connection.sendall(data)
    wait_until(lambda: actions(auditor) == {"store_refused"}, SCALE * 20, "the record of the last one")


def test_it_writes_what_triton_refuses_into_the_audit_log_of_the_stack(auditor: Path) -> None:
    header = "triton-grpc-protocol-uncia-control"
    line = f"2026-12-01T14:47:06Z This protocol is restricted, expecting header '{header}'\n"
    access_file(auditor / "logs", "triton").write_text(line)
    wait_until(lambda: actions(auditor) == {"triton_refused"}, SCALE * 20, "the record")
    record = next(iter(read_audit(audit_file(auditor))))
    assert (record["what"], record["hour"]) == ("control", "2026-12-01T14")


def test_it_writes_which_connections_the_store_refused_into_the_audit_log_of_the_stack(auditor: Path) -> None:
    line = "2026-12-01T14:47:06Z 127.0.0.1 tls: client didn't provide a certificate\n"
    access_file(auditor / "logs", "seaweedfs").write_text(line)
    wait_until(lambda: actions(auditor) == {"store_port_refused"}, SCALE * 20, "the record")
    record = next(iter(read_audit(audit_file(auditor))))
    assert (record["address"], record["error"]) == ("127.0.0.1", "tls: client didn't provide a certificate")


def actions(folder: Path) -> set[str]:
    """The kinds of records in the audit log."""
    return {record["action"] for record in read_audit(audit_file(folder))}
