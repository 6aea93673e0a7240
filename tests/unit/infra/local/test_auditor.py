"""The auditor follows the broker's file."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.waiting import SCALE, wait_until
from uncia.audit import audit_file, read_audit
from uncia.infra.local.auditor import BROKER_LOG, FollowedFile


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


@pytest.fixture
def auditor(tmp_path: Path) -> Iterator[Path]:
    """The process; yields the folder of its stack."""
    (tmp_path / "logs").mkdir()
    environment = {
        **os.environ,
        "UNCIA_STACK_DIR": str(tmp_path),
        "UNCIA_READY_FILE": str(tmp_path / "ready"),
    }
    process = subprocess.Popen([sys.executable, "-m", "uncia.infra.local.auditor"], env=environment)
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
    (auditor / "logs" / BROKER_LOG).write_text(line)

    def actions() -> set[str]:
        return {record["action"] for record in read_audit(audit_file(auditor))}

    wait_until(lambda: actions() == {"key_used", "positions_read"}, SCALE * 20, "two records")
