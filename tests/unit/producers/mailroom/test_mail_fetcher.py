"""Mails of cameras in mailboxes elsewhere, from real IMAP and POP3 servers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.paths import ROOT
from tests.unit.producers.gateway.builders import jpeg
from tests.unit.producers.mailroom.builders import Mailroom, build
from tests.unit.producers.mailroom.test_mail_attachments import mail
from tests.unit.producers.mailroom.test_service import Reporter
from tests.waiting import wait_until
from uncia.errors import SettingsError
from uncia.producers.mailroom.mail_fetcher import MailFetcher
from uncia.producers.mailroom.mail_store import MailStore
from uncia.producers.mailroom.mailbox_clients import MailboxDown
from uncia.producers.mailroom.mailboxes import Mailbox, Mailboxes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, dict[str, int]]]:
    """The folder with its mails, the certificate of its authority, and the ports."""
    folder = tmp_path_factory.mktemp("server")
    mails = folder / "mails"
    mails.mkdir()
    authority = Authority(folder, "authority")
    certfile, keyfile = authority.issue("server", ["127.0.0.1"])
    command = [sys.executable, "-m", "tests.unit.producers.mailroom.mail_servers", mails, certfile, keyfile]
    with subprocess.Popen([*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            imap, pop = json.loads(running.stdout.readline())
            yield mails, authority.cafile, {"imap": imap, "pop": pop}
        finally:
            running.kill()


@pytest.fixture
def mails(server: tuple[Path, Path, dict[str, int]], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder, cafile, _ = server
    for path in folder.iterdir():
        path.unlink()
    monkeypatch.setenv("SSL_CERT_FILE", str(cafile))
    return folder


@pytest.fixture(params=["imap", "pop"])
def mailbox(server: tuple[Path, Path, dict[str, int]], mails: Path, request: pytest.FixtureRequest) -> Mailbox:
    port = server[2][request.param]
    return Mailbox("box", request.param, "127.0.0.1", port, "cameras", "secret", station="ridge", camera="north")


@pytest.fixture
def mailroom(tmp_path: Path) -> Mailroom:
    return build(tmp_path)


def fetcher(mailroom: Mailroom, reporter: Reporter | None = None) -> MailFetcher:
    store = MailStore(mailroom.folders, mailroom.inbox, mailroom.reports)
    return MailFetcher(
        mailroom.folders, mailroom.accounts, store, reporter or Reporter(), max_size=1 << 20, interval_s=0.1
    )


_uids = iter(range(1, 10_000))


def put(mails: Path, *pictures: bytes, to: str = "box@example.org") -> Path:
    """Put a mail into the mailbox."""
    message = mail(*((f"IMG_{number}.JPG", "image/jpeg", data) for number, data in enumerate(pictures)))
    message["To"] = f"Cameras <{to}>"
    path = mails / f"{next(_uids)}.eml"
    path.with_suffix(".new").write_bytes(message.as_bytes().replace(b"\n", b"\r\n"))
    return path.with_suffix(".new").rename(path)


def test_every_mail_is_fetched_once_and_stays_there(mailroom: Mailroom, mailbox: Mailbox, mails: Path) -> None:
    assert fetcher(mailroom).fetch(mailbox).stored == 0
    put(mails, jpeg(1), jpeg(2))
    put(mails, jpeg(3))
    assert fetcher(mailroom).fetch(mailbox).stored == 2
    assert sorted(mailroom.contents()) == sorted([jpeg(1), jpeg(2), jpeg(3)])
    assert fetcher(mailroom).fetch(mailbox).stored == 0
    put(mails, jpeg(4))
    assert fetcher(mailroom).fetch(mailbox).stored == 1
    assert len(list(mails.iterdir())) == 3


def test_fetched_mails_are_deleted_on_request(mailroom: Mailroom, mailbox: Mailbox, mails: Path) -> None:
    put(mails, jpeg(1))
    put(mails, jpeg(2))
    assert fetcher(mailroom).fetch(replace(mailbox, delete=True)).stored == 2
    assert len(mailroom.contents()) == 2
    wait_until(lambda: not list(mails.iterdir()), 10)


def test_nothing_is_deleted_that_could_not_be_stored(
    mailroom: Mailroom, mailbox: Mailbox, mails: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    put(mails, jpeg(1))
    with monkeypatch.context() as patch:
        patch.setattr("uncia.producers.mailroom.inbox._sync_file", fail)
        with pytest.raises(OSError, match="Input/output error"):
            fetcher(mailroom).fetch(replace(mailbox, delete=True))
    assert len(list(mails.iterdir())) == 1
    assert fetcher(mailroom).fetch(replace(mailbox, delete=True)).stored == 1
    assert mailroom.contents() == [jpeg(1)]


@pytest.mark.parametrize("form", ["{}@example.org", "box+{}@example.org"])
def test_the_address_of_a_camera_decides(mailroom: Mailroom, mailbox: Mailbox, mails: Path, form: str) -> None:
    other = mailroom.accounts.add("valley", "south")
    put(mails, jpeg(1), to=form.format(other.address))
    assert fetcher(mailroom).fetch(mailbox).stored == 1
    assert [path.name for path in mailroom.folders.inbox.glob("valley/south/*")] == ["IMG_0.JPG"]
    assert mailroom.contents() == []


def test_a_mail_of_no_camera_stays_until_an_account_has_its_address(
    mailroom: Mailroom, mailbox: Mailbox, mails: Path
) -> None:
    reporter = Reporter()
    shared = replace(mailbox, station=None, camera=None, delete=True)
    running = fetcher(mailroom, reporter)
    put(mails, jpeg(1))
    put(mails, jpeg(2), to=f"{mailroom.camera.address}@example.org")
    assert (running.fetch(shared).stored, running.fetch(shared).stored) == (1, 0)
    assert [line["event"] for line in reporter.lines] == ["mail-left"]
    assert mailroom.contents() == [jpeg(2)]
    wait_until(lambda: len(list(mails.iterdir())) == 1, 10)


def test_a_mail_that_is_too_large_stays(mailroom: Mailroom, mailbox: Mailbox, mails: Path) -> None:
    put(mails, bytes(2 << 20))
    put(mails, jpeg(1))
    summary = fetcher(mailroom).fetch(mailbox)
    assert (summary.stored, summary.left) == (1, 1)


def test_a_wrong_password_and_an_unknown_certificate_are_reported(
    mailroom: Mailroom, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MailboxDown, match=r"mailbox box \(cameras at 127.0.0.1:\d+\) is not available"):
        fetcher(mailroom).fetch(replace(mailbox, password="wrong"))
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(MailboxDown, match="CERTIFICATE_VERIFY_FAILED"):
        fetcher(mailroom).fetch(mailbox)


def test_the_fetcher_goes_on_after_a_server_that_is_down(mailroom: Mailroom, mailbox: Mailbox, mails: Path) -> None:
    reporter = Reporter()
    mailboxes = Mailboxes(mailroom.folders.mailboxes)
    mailboxes.add("absent", "imap", "127.0.0.1", "cameras", "secret", port=1)
    mailboxes.add(
        "box", mailbox.protocol, mailbox.host, "cameras", "secret", port=mailbox.port, station="ridge", camera="north"
    )
    running = fetcher(mailroom, reporter)
    running.start()
    try:
        put(mails, jpeg(1))
        wait_until(lambda: mailroom.contents() == [jpeg(1)], 30)
        wait_until(lambda: [line for line in reporter.lines if line["event"] == "fetched"], 10)
    finally:
        running.stop()
    assert [line["mailbox"] for line in reporter.lines if line["event"] == "waiting"][:1] == ["absent"]


def test_mailboxes_are_kept_in_a_file_for_their_owner_only(tmp_path: Path) -> None:
    mailboxes = Mailboxes(tmp_path / "mailboxes.json")
    added = mailboxes.add("box", "pop", "mail.example.org", "user", "secret")
    assert (added.port, mailboxes.all()) == (995, (added,))
    assert mailboxes.path.stat().st_mode & 0o077 == 0
    with pytest.raises(SettingsError, match="there is a mailbox box"):
        mailboxes.add("box", "imap", "mail.example.org", "user", "secret")
    with pytest.raises(SettingsError, match="both"):
        mailboxes.add("other", "imap", "mail.example.org", "user", "secret", station="ridge")
    assert mailboxes.remove("box") == added
    with pytest.raises(SettingsError, match="no mailbox box"):
        mailboxes.remove("box")
