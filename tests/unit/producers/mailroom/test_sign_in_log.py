"""Sign-ins of cameras and refusals, in the audit log."""

import smtplib
from ftplib import FTP_TLS, error_perm
from pathlib import Path
from typing import Any

import pytest

from tests.free_ports import free_port
from tests.unit.producers.mailroom.builders import build, trusting_context
from tests.unit.producers.mailroom.test_service import process
from uncia.audit import AuditLog, read_audit
from uncia.producers.mailroom.sign_in_log import SignInLog


def without_time(path: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "at"} for record in read_audit(path)]


def test_sign_ins_by_ftp_and_mail_and_their_refusals_are_recorded(tmp_path: Path) -> None:
    mailroom, ports = build(tmp_path), (free_port(), free_port())
    user, password = mailroom.camera.account.user, mailroom.camera.password
    with process(tmp_path, *ports):
        for name, secret in ((user, password), (user, "wrong"), ("admin", "admin")):
            with FTP_TLS(context=trusting_context(), timeout=60) as ftp:
                ftp.connect("127.0.0.1", ports[0])
                try:
                    ftp.login(name, secret)
                except error_perm:
                    assert secret != password
        with smtplib.SMTP("127.0.0.1", ports[1], timeout=60) as smtp:
            smtp.starttls(context=trusting_context())
            smtp.ehlo()
            smtp.mail("camera@example.org")
            assert smtp.rcpt("nobody@example.org")[0] == 550
            smtp.login(user, password)
    refused = {"action": "sign_in_failed", "what": "mailroom from 127.0.0.1"}
    assert without_time(tmp_path / "audit.jsonl") == [
        {"action": "signed_in", "who": user, "what": "mailroom from 127.0.0.1", "camera": "ridge/north"},
        {**refused, "who": user, "user": user},
        {**refused, "who": "unknown camera", "user": "admin"},
        {**refused, "who": "unknown recipient"},
    ]


@pytest.mark.parametrize("addresses", [1, 3])
def test_a_program_that_tries_names_fills_no_log(tmp_path: Path, addresses: int) -> None:
    path = tmp_path / "audit.jsonl"
    log = SignInLog(build(tmp_path).accounts, AuditLog(path))
    for number in range(60):
        log.refused(f"192.0.2.{number % addresses}", f"name{number}" * 40)
    records = without_time(path)
    assert [record["who"] for record in records] == ["unknown camera"] * addresses
    assert all(len(record["user"]) <= 64 for record in records)
