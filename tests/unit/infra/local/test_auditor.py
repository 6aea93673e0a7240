"""The auditor follows the broker's file, and reads what the object store sends to its socket."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.waiting import SCALE, wait_until
from uncia.audit import audit_file, read_audit
from uncia.infra.local.auditor import BROKER_LOG, SOCKET_VARIABLE, FollowedFile, entries


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


def sent(*parts: bytes) -> list[dict[str, object]]:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            for part in parts:
                theirs.sendall(part)
        return list(entries(ours))


def test_entries_follow_each_other_and_arrive_in_pieces() -> None:
    text = '["s3.access",1,{"key":"a/ä"},{}]\n["s3.access",2,{"key":"b"},{}]'.encode()
    assert sent(text[:28], text[28:40], text[40:]) == [{"key": "a/ä"}, {"key": "b"}]


@pytest.mark.parametrize("text", [b"{}", b'["s3.access",1]', b'"' + b"x" * 100])
def test_anything_else_is_refused(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uncia.infra.local.auditor._MAX_ENTRY_BYTES", 50)
    with pytest.raises(ValueError, match=r"entry|Unterminated"):
        sent(text)


@pytest.fixture
def auditor(tmp_path: Path) -> Iterator[Path]:
    """The process; yields the folder of its stack, in which its socket is."""
    (tmp_path / "logs").mkdir()
    environment = {
        **os.environ,
        "UNCIA_STACK_DIR": str(tmp_path),
        "UNCIA_READY_FILE": str(tmp_path / "ready"),
        SOCKET_VARIABLE: str(tmp_path / "socket"),
    }
    process = subprocess.Popen([sys.executable, "-m", "uncia.infra.local.auditor"], env=environment)
    try:
        wait_until((tmp_path / "ready").exists, SCALE * 30, "the auditor to listen")
        yield tmp_path
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(SCALE * 10) == 0


def test_it_writes_both_into_the_audit_log_of_the_stack(auditor: Path) -> None:
    line = (
        "2026-11-30T14:47:06Z Principal = User:ranger-anna is Allowed operation = READ from host = 127.0.0.1 on "
        "resource = Topic:LITERAL:camera.deployment.changed.v1 "
        "for request = Fetch with resourceRefCount = 1 based on rule X\n"
    )
    (auditor / "logs" / BROKER_LOG).write_text(line)
    message = ["s3.access", 1, {"time": 1796050026, "status": 403, "operation": "REST.PUT.OBJECT", "key": "a"}, {}]
    for text in ("no entry", json.dumps(message)):
        with socket.socket(socket.AF_UNIX) as store:
            store.connect(str(auditor / "socket"))
            store.sendall(text.encode())

    def actions() -> set[str]:
        return {record["action"] for record in read_audit(audit_file(auditor))}

    wait_until(lambda: actions() == {"key_used", "positions_read", "store_refused"}, SCALE * 20, "three records")
