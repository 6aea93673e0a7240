"""Mailrooms with and without plain FTP and mail, distinguished over real sockets."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.producers.mailroom.builders import ftp_server, smtp_server
from uncia.errors import StackError
from uncia.infra.local.mailroom_checks import camera_ports, mailroom_checks, refuses_plain_ftp, refuses_plain_smtp
from uncia.settings import Settings


def settings(**changes: Any) -> Settings:
    return Settings(_env_file=None, **changes)


def test_servers_that_require_tls_are_closed(tmp_path: Path) -> None:
    with ftp_server(tmp_path / "ftp") as mailroom:
        assert refuses_plain_ftp(*mailroom.address, permitted=False) == "refuses passwords without TLS"
    with smtp_server(tmp_path / "smtp") as mailroom:
        assert refuses_plain_smtp(*mailroom.address, permitted=False) == "refuses passwords and mails without TLS"


@pytest.mark.parametrize(("permitted", "advice"), [(True, "PLAIN_{}=true: set it to false"), (False, "report this")])
def test_servers_that_accept_passwords_without_tls_are_reported(tmp_path: Path, permitted: bool, advice: str) -> None:
    with (
        ftp_server(tmp_path / "ftp", plain_ftp=True) as mailroom,
        pytest.raises(StackError, match=advice.format("FTP")),
    ):
        refuses_plain_ftp(*mailroom.address, permitted=permitted)
    with (
        smtp_server(tmp_path / "smtp", plain_smtp=True) as mailroom,
        pytest.raises(StackError, match=advice.format("SMTP")),
    ):
        refuses_plain_smtp(*mailroom.address, permitted=permitted)


def test_each_server_that_is_switched_on_is_checked() -> None:
    def names(**changes: Any) -> list[str]:
        return [name for name, _ in mailroom_checks(settings(**changes))]

    assert names() == []
    assert names(mailroom=True) == ["mailroom: ftp", "mailroom: smtp"]
    assert names(mailroom=True, mailroom_ftp_port=0) == ["mailroom: smtp"]


def test_the_ports_for_cameras_are_those_of_the_settings() -> None:
    ports = {"mailroom_ftp_port": 2121, "mailroom_smtp_port": 2525, "mailroom_ftp_passive_ports": "50000-50002"}
    assert camera_ports(settings(**ports)) == set()
    assert camera_ports(settings(mailroom=True, **ports)) == {2121, 2525, 50_000, 50_001, 50_002}
    assert camera_ports(settings(mailroom=True, **ports | {"mailroom_ftp_port": 0})) == {2525}
