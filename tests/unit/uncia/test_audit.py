"""The audit log keeps every record, in a file for its owner alone."""

import stat
import threading
from pathlib import Path

from uncia.audit import AuditLog, read_audit


def test_a_record_says_who_did_what_and_when(tmp_path: Path) -> None:
    AuditLog(tmp_path / "logs" / "audit.jsonl").record("positions_read", "ranger", "/numbers", cameras=7)
    (record,) = read_audit(tmp_path / "logs" / "audit.jsonl")
    assert (record["action"], record["who"], record["what"]) == ("positions_read", "ranger", "/numbers")
    assert record["cameras"] == 7
    assert record["at"].endswith("+00:00")


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path).record("key_issued", "root", "gateway-ridge")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_page_that_refreshes_is_recorded_once_in_an_hour(tmp_path: Path) -> None:
    now = [0.0]
    audit = AuditLog(tmp_path / "audit.jsonl", clock=lambda: now[0])
    for at in (0.0, 10.0, 3599.0, 3600.0, 3700.0):
        now[0] = at
        audit.record_once("positions_read", "ranger", "/numbers")
    audit.record_once("positions_read", "other", "/numbers")
    assert [record["who"] for record in read_audit(tmp_path / "audit.jsonl")] == ["ranger", "ranger", "other"]


def test_records_of_several_threads_and_logs_are_all_kept(tmp_path: Path) -> None:
    def write(number: int) -> None:
        audit = AuditLog(tmp_path / "audit.jsonl")
        for count in range(50):
            audit.record("sign_in", f"{number}", f"{count}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(record["who"], record["what"]) for record in read_audit(tmp_path / "audit.jsonl")}) == 400


def test_hostile_names_stay_in_their_record(tmp_path: Path) -> None:
    name = 'x\n{"action": "forged"}\x1b[2J\ud800'
    AuditLog(tmp_path / "audit.jsonl").record("sign_in_failed", name)
    assert [record["action"] for record in read_audit(tmp_path / "audit.jsonl")] == ["sign_in_failed"]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path).record("key_issued", "root", "a")
    with path.open("a", encoding="utf-8") as file:
        file.write('{"action": "key_')
    assert [record["what"] for record in read_audit(path)] == ["a"]


def test_a_log_that_cannot_be_written_does_not_stop_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    AuditLog(tmp_path / "file" / "audit.jsonl").record("key_issued", "root", "a")


def test_a_log_without_records_is_empty(tmp_path: Path) -> None:
    assert list(read_audit(tmp_path / "audit.jsonl")) == []
