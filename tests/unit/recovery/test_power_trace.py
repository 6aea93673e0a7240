"""Finds data that a power cut at the time of a response would lose, in a trace of system calls."""

from tests.recovery.power.trace import Call, dirty_at_answer, parse

DAT, IDX = "/data/uploads_1.dat", "/data/uploads_1.idx"
CLIENT = "TCP:[127.0.0.1:8333->127.0.0.1:51000]"
INNER = "TCP:[127.0.0.1:9340->127.0.0.1:51001]"
ANSWER = f'write(9<{CLIENT}>, "HTTP/1.1 200 OK\\r\\n"..., 300) = 300'


def dirty(*calls: str) -> list[set[str]]:
    return dirty_at_answer(parse(f"100 {call}\n" for call in calls), 8333, below="/data")


def test_a_file_that_was_synced_before_the_response_is_safe() -> None:
    assert dirty(f'pwrite64(4<{DAT}>, "x"..., 10, 0) = 10', f"fsync(4<{DAT}>) = 0", ANSWER) == [set()]


def test_a_file_that_was_written_after_its_sync_or_never_synced_is_unsafe() -> None:
    assert dirty(
        f'pwrite64(4<{DAT}>, "x", 1, 0) = 1',
        f"fdatasync(4<{DAT}>) = 0",
        f'pwrite64(4<{DAT}>, "x", 1, 1) = 1',
        f'write(5<{IDX}>, "x", 1) = 1',
        ANSWER,
    ) == [{DAT, IDX}]


def test_a_sync_that_fails_or_follows_the_response_does_not_count() -> None:
    lines = [f'write(4<{DAT}>, "x", 1) = 1', f"fsync(4<{DAT}>) = -1 EIO (Input/output error)", ANSWER]
    assert dirty(*lines, f"fsync(4<{DAT}>) = 0") == [{DAT}]


def test_responses_of_other_ports_and_other_statuses_do_not_count() -> None:
    assert (
        dirty(f'write(9<{INNER}>, "HTTP/1.1 200 OK", 15) = 15', f'write(9<{CLIENT}>, "HTTP/1.1 100 Continue", 21) = 21')
        == []
    )


def test_a_call_counts_when_it_returns() -> None:
    trace = [
        f'100 pwrite64(4<{DAT}>, "x"..., 10, 0 <unfinished ...>\n',
        f"101 fsync(4<{DAT}> <unfinished ...>\n",
        "101 <... fsync resumed>) = 0\n",
        "100 <... pwrite64 resumed>) = 10\n",
    ]
    assert [call.name for call in parse(trace)] == ["fsync", "pwrite64"]
    assert dirty_at_answer(parse([*trace, f"100 {ANSWER}\n"]), 8333) == [{DAT}]


def test_other_lines_are_ignored() -> None:
    noise = [
        "",
        "strace: Process 5 attached\n",
        "100 --- SIGURG {si_signo=SIGURG} ---\n",
        "100 +++ exited with 0 +++\n",
    ]
    assert list(parse(noise)) == []
    assert list(parse(["7  12:24:02.29 fsync(3</a b/c>) = 0\n"])) == [Call("fsync", "/a b/c", ") = 0")]
