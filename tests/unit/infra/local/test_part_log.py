"""A part's log keeps its own lines; reports of the gRPC library are dropped, but for what was refused."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import SCALE, wait_until
from uncia.infra.local import part_log
from uncia.infra.local.part_log import LOGS, RefusalFile

TRITON, STORE = LOGS["triton"], LOGS["seaweedfs"]

# As Triton 2.51 writes them.
OWN = b'I1201 02:18:03.172359 4614 model_lifecycle.cc:472] "loading: species_classifier:1"\n'
STATUS = b"I1201 02:18:28.849990734    4719 call.cc:1526]        ops[1]: SEND_STATUS_FROM_SERVER status="
REFUSAL = "This protocol is restricted, expecting header 'triton-grpc-protocol-uncia-control'"
REFUSED = STATUS + b"14 details=" + REFUSAL.encode() + b"(nil)\n"
PERMITTED = STATUS + b"0 details=(nil)\n"
ERROR = b"E1201 02:18:28.849990734    4719 chttp2_server.cc:1045] UNKNOWN: no address added\n"


def test_tritons_own_lines_and_errors_of_the_library_remain_and_its_reports_do_not() -> None:
    lines = [OWN, PERMITTED, REFUSED, ERROR, b"Signal (15) received.\n", b"\n"]
    assert [TRITON.split(line)[0] for line in lines] == [OWN, b"", b"", ERROR, b"Signal (15) received.\n", b"\n"]


def test_only_a_call_without_its_key_is_a_refusal_by_triton() -> None:
    other = STATUS + b"14 details=Request for unknown model: 'a' is not found(nil)\n"
    assert [TRITON.split(line)[1] for line in (OWN, PERMITTED, other, REFUSED)] == ["", "", "", REFUSAL]


# As SeaweedFS 4.48 writes them.
AT = b"2026/12/01 04:00:07 "
CHANNEL = AT + b'INFO: [core] [Channel #4] Channel authority set to "127.0.0.1:20141"\n'
GRPC = AT + b"INFO: [core] [Server #38] grpc: Server.Serve failed to create ServerTransport: connection error: desc = "
HTTP = AT + b"http: TLS handshake error from "


@pytest.mark.parametrize(
    ("line", "kept", "message"),
    [
        (CHANNEL, False, ""),
        (AT + b"WARNING: [core] grpc: addrConn.createTransport failed to connect\n", True, ""),
        (
            GRPC + b'"ServerHandshake(\\"127.0.0.1:58940\\") failed: tls: client didn\'t provide a certificate"\n',
            False,
            "127.0.0.1 tls: client didn't provide a certificate",
        ),
        (GRPC + b'"ServerHandshake(\\"127.0.0.1:58940\\") failed: EOF"\n', False, ""),
        (
            HTTP + b"[::1]:48214: tls: client didn't provide a certificate\n",
            True,
            "[::1] tls: client didn't provide a certificate",
        ),
        (HTTP + b"127.0.0.1:46556: remote error: tls: bad certificate\n", True, ""),
        (HTTP + b"127.0.0.1:48188: client sent an HTTP request to an HTTPS server\n", True, ""),
    ],
    ids=["channel", "warning", "grpc", "closed", "https", "client refused", "plain"],
)
def test_a_connection_without_the_certificate_is_a_refusal_by_the_store(line: bytes, kept: bool, message: str) -> None:
    assert STORE.split(line) == (line if kept else b"", message)


def test_the_file_of_refusals_is_renamed_when_it_is_full(tmp_path: Path) -> None:
    refusals = RefusalFile(tmp_path / "access.log")
    for _ in range(4):
        refusals.append("x" * 400_000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["access.log", "access.log.1"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3 * part_log._MAX_BYTES


def test_a_refusal_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    RefusalFile(tmp_path / "missing" / "access.log").append("refused")


def reader(folder: Path, output: int) -> "subprocess.Popen[bytes]":
    """The process, as a start script runs it."""
    command = [sys.executable, "-I", "-S", str(Path(part_log.__file__).resolve()), "triton", str(folder / "access.log")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output)


def test_the_process_divides_what_it_reads_and_ends_with_its_input(tmp_path: Path) -> None:
    process = reader(tmp_path, subprocess.PIPE)
    output, _ = process.communicate(OWN + REFUSED + PERMITTED, timeout=SCALE * 20)
    assert (process.returncode, output) == (0, OWN)
    assert (tmp_path / "access.log").read_text().endswith(f"Z {REFUSAL}\n")


def test_a_full_disk_does_not_end_the_process(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = reader(tmp_path, full.fileno())
        process.communicate(OWN * 1000 + REFUSED, timeout=SCALE * 20)
    assert process.returncode == 0
    assert REFUSAL in (tmp_path / "access.log").read_text()


def test_a_parts_last_lines_are_read_after_a_signal_to_all_processes_of_the_part(tmp_path: Path) -> None:
    """The shell of the start script ignores signals for the process."""
    shell = "trap '' TERM INT HUP; exec \"$@\""
    command = [
        sys.executable,
        "-I",
        "-S",
        str(Path(part_log.__file__).resolve()),
        "triton",
        str(tmp_path / "access.log"),
    ]
    process = subprocess.Popen(["/bin/sh", "-c", shell, "sh", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(REFUSED)
    process.stdin.flush()
    wait_until((tmp_path / "access.log").exists, SCALE * 20, "the process to read")
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(OWN, timeout=SCALE * 20)
    assert (process.returncode, output) == (0, OWN)
