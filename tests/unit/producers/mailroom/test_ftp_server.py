"""Cameras that send photographs by FTP, over real sockets."""

import contextlib
import io
import os
import socket
import struct
import time
from collections.abc import Iterator
from ftplib import FTP, FTP_TLS, all_errors, error_perm, error_temp
from pathlib import Path

import psutil
import pytest

from tests.unit.producers.gateway.builders import jpeg
from tests.unit.producers.gateway.test_videos import MP4
from tests.unit.producers.mailroom.builders import Mailroom, ftp_server, signed_in, trusting_context
from tests.waiting import wait_until
from uncia.producers.mailroom.camera_folder import deliver_held, remove_broken

PICTURE = jpeg(1, side=200)
"""Some 30 kB."""


@pytest.fixture
def mailroom(tmp_path: Path) -> Iterator[Mailroom]:
    with ftp_server(tmp_path / "mailroom") as running:
        yield running


def send(client: FTP, name: str, data: bytes, *, command: str = "STOR", rest: int | None = None) -> str:
    return client.storbinary(f"{command} {name}", io.BytesIO(data), rest=rest)


def break_off(client: FTP, name: str, data: bytes, *, reset: bool = False) -> str:
    """Send some bytes and drop the data connection without an end. Returns the server's reply."""
    connection = client.transfercmd(f"STOR {name}")
    connection.sendall(data)
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Without `unwrap`, so no close_notify is sent.
    os.close(connection.detach())
    try:
        return client.voidresp()
    except all_errors as error:
        return str(error)


def test_a_photograph_is_in_the_inbox_before_it_is_confirmed(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        assert send(client, "IMG_0001.JPG", PICTURE).startswith("226")
        assert mailroom.delivered() == {"IMG_0001.JPG": PICTURE}
        assert not mailroom.received()


def test_a_camera_may_check_or_rename_what_it_has_sent(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        send(client, "IMG_0001.JPG", PICTURE)
        assert client.size("IMG_0001.JPG") == len(PICTURE)
        client.rename("IMG_0001.JPG", "DONE.JPG")
        assert client.size("DONE.JPG") == len(PICTURE)
        with pytest.raises(error_perm):
            client.size("IMG_0001.JPG")
    assert mailroom.contents() == [PICTURE]


def test_folders_are_the_cameras_own_affair(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        client.mkd("DCIM")
        client.cwd("DCIM")
        send(client, "1.JPG", PICTURE)
        client.cwd("/")
        send(client, "DCIM/100MEDIA/2.JPG", jpeg(2))
        assert client.nlst() == ["DCIM"]
    assert mailroom.delivered() == {"1.JPG": PICTURE, "2.JPG": jpeg(2)}


def test_listings_show_what_is_not_handed_over_yet(mailroom: Mailroom) -> None:
    lines: list[str] = []
    with signed_in(mailroom) as client:
        send(client, "1.JPG.tmp", PICTURE)
        break_off(client, "2.JPG", PICTURE[:5000])
        client.dir(lines.append)
        sizes = {name: int(facts["size"]) for name, facts in client.mlsd() if facts["type"] == "file"}
        status = client.sendcmd("STAT 1.JPG.tmp")
    assert [line.split()[-1] for line in lines] == ["1.JPG.tmp", "2.JPG"]
    assert sizes == {"1.JPG.tmp": len(PICTURE), "2.JPG": 5000}
    assert str(len(PICTURE)) in status


def test_a_second_photograph_of_a_name_does_not_replace_the_first(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        for seed in range(3):
            send(client, "IMG_0001.JPG", jpeg(seed))
    assert sorted(mailroom.contents()) == sorted(jpeg(seed) for seed in range(3))


def test_the_default_type_of_ftp_does_not_damage_photographs(mailroom: Mailroom) -> None:
    data = PICTURE[:-2] + b"\r\n\r\n" + PICTURE[-2:]
    with signed_in(mailroom) as client:
        client.voidcmd("TYPE A")
        with client.transfercmd("STOR 1.JPG") as connection:
            connection.sendall(data)
            connection.unwrap()  # type: ignore[attr-defined]
        client.voidresp()
    assert mailroom.contents() == [data]


# Signing in.


def test_without_tls_no_password_is_accepted(mailroom: Mailroom) -> None:
    with FTP(timeout=60) as client:
        client.connect(*mailroom.address)
        with pytest.raises(error_perm, match="SSL/TLS required on the control channel"):
            client.login(mailroom.camera.account.user, mailroom.camera.password)


def test_without_tls_no_photograph_is_accepted(mailroom: Mailroom) -> None:
    with FTP_TLS(context=trusting_context(), timeout=60) as client:
        client.connect(*mailroom.address)
        client.login(mailroom.camera.account.user, mailroom.camera.password)
        with pytest.raises(error_perm, match="SSL/TLS required on the data channel"):
            send(client, "1.JPG", PICTURE)


def test_plain_ftp_is_possible_where_the_operator_permits_it(tmp_path: Path) -> None:
    with ftp_server(tmp_path, plain_ftp=True) as mailroom, FTP(timeout=60) as client:
        client.connect(*mailroom.address)
        client.login(mailroom.camera.account.user, mailroom.camera.password)
        assert send(client, "1.JPG", PICTURE).startswith("226")
        assert mailroom.contents() == [PICTURE]


def test_a_wrong_password_is_refused_after_a_delay(mailroom: Mailroom) -> None:
    with FTP_TLS(context=trusting_context(), timeout=60) as client:
        client.connect(*mailroom.address)
        with pytest.raises(error_perm, match="530 Wrong user name or password"):
            client.login(mailroom.camera.account.user, "wrong")


def test_an_account_that_was_removed_cannot_sign_in(mailroom: Mailroom) -> None:
    mailroom.accounts.remove("ridge", "north")
    with pytest.raises(error_perm, match="530"), signed_in(mailroom):
        pass


def test_a_leaked_password_shows_and_removes_nothing(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        send(client, "IMG_0001.JPG.tmp", PICTURE)
        for command in ("RETR IMG_0001.JPG.tmp", "SITE CHMOD 777 /", "STOU x", "MFMT 20200101000000 IMG_0001.JPG.tmp"):
            with pytest.raises(all_errors, match=r"^5"):
                client.sendcmd(command)
        client.delete("IMG_0001.JPG.tmp")
    assert mailroom.held() == ["IMG_0001.JPG.tmp"]


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "../../evil.jpg", "a/../../evil.jpg", "/../evil.jpg", "../south/evil.jpg"]
)
def test_a_name_that_leaves_the_root_is_refused(mailroom: Mailroom, name: str) -> None:
    before = set(mailroom.folders.root.rglob("*"))
    with signed_in(mailroom) as client:
        for command in (f"STOR {name}", f"APPE {name}", f"MKD {name}", f"RNFR {name}", f"DELE {name}", f"SIZE {name}"):
            with pytest.raises(error_perm, match="550"):
                client.sendcmd(command)
        send(client, "fine.JPG.tmp", PICTURE)
        client.sendcmd("RNFR fine.JPG.tmp")
        with pytest.raises(error_perm, match="550"):
            client.sendcmd(f"RNTO {name}")
    after = set(mailroom.folders.root.rglob("*")) - before
    assert not [path for path in after if "evil" in path.name]
    assert not list(mailroom.folders.root.parent.glob("evil*"))


@pytest.mark.parametrize(
    "name", ["..\\..\\evil.jpg", "\x1b[31mred.jpg", "x" * 250 + ".jpg", "\u202egpj.exe", "a\0b.jpg"]
)
def test_a_strange_name_harms_nothing(mailroom: Mailroom, name: str) -> None:
    with signed_in(mailroom) as client, contextlib.suppress(error_perm):
        send(client, name, PICTURE)
    for delivered in mailroom.delivered():
        assert delivered.isprintable()
        assert not set(delivered) & set("/\\")
    with signed_in(mailroom) as client:
        send(client, "after.jpg", PICTURE)
    assert "after.jpg" in mailroom.delivered()


# Broken transfers and resumes.


@pytest.mark.parametrize("reset", [False, True], ids=["cut", "reset"])
def test_a_transfer_that_breaks_off_is_not_handed_over(mailroom: Mailroom, reset: bool) -> None:
    with signed_in(mailroom) as client:
        reply = break_off(client, "1.JPG", PICTURE[:5000], reset=reset)
        assert reply.startswith(("451", "426"))
        with pytest.raises(error_perm, match="did not end"):
            client.rename("1.JPG", "2.JPG")
    deliver_held(mailroom.folders, mailroom.inbox, 0)
    assert (mailroom.contents(), mailroom.held()) == ([], [])
    assert len(mailroom.received()) == 1
    remove_broken(mailroom.folders, unchanged_s=0)
    assert not mailroom.received()


def test_a_camera_that_dies_in_a_transfer_leaves_nothing_in_the_inbox(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        connection = client.transfercmd("STOR 1.JPG")
        connection.sendall(PICTURE[:20_000])
        wait_until(lambda: mailroom.received() and mailroom.received()[0].stat().st_size, 10)
        assert client.sock is not None
        os.close(client.sock.detach())
        os.close(connection.detach())
        client.sock = client.file = None
    with signed_in(mailroom) as client:
        client.voidcmd("NOOP")
    assert (mailroom.contents(), mailroom.held()) == ([], [])


def test_rest_continues_a_broken_transfer(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        break_off(client, "1.JPG", PICTURE[:5000])
    with signed_in(mailroom) as client:
        size = client.size("1.JPG")
        assert size == 5000
        assert send(client, "1.JPG", PICTURE[size:], rest=size).startswith("226")
    assert mailroom.delivered() == {"1.JPG": PICTURE}


def test_appe_continues_a_broken_transfer(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        break_off(client, "1.JPG", PICTURE[:5000])
        assert send(client, "1.JPG", PICTURE[5000:], command="APPE").startswith("226")
    assert mailroom.delivered() == {"1.JPG": PICTURE}


def test_a_photograph_may_arrive_in_several_confirmed_parts(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        for start in range(0, len(PICTURE), 8000):
            assert not mailroom.contents()
            assert send(client, "1.JPG", PICTURE[start : start + 8000], command="APPE").startswith("226")
    assert mailroom.contents() == [PICTURE]
    assert not mailroom.held()


@pytest.mark.parametrize("command", ["APPE", "STOR"])
def test_a_film_without_its_index_waits_for_it(mailroom: Mailroom, command: str) -> None:
    with signed_in(mailroom) as client:
        assert send(client, "1.MP4", MP4[:5000]).startswith("226")
        assert (mailroom.contents(), mailroom.held()) == ([], ["1.MP4"])
        send(client, "1.MP4", MP4[5000:] if command == "APPE" else MP4, command=command)
    deliver_held(mailroom.folders, mailroom.inbox, 0)  # further fragments may follow what was appended
    assert (mailroom.contents(), mailroom.held()) == ([MP4], [])


def test_a_confirmed_part_whose_rest_never_comes_is_handed_over_as_it_is(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        send(client, "1.JPG", PICTURE[:5000])
    deliver_held(mailroom.folders, mailroom.inbox, 60)
    assert (mailroom.contents(), mailroom.held()) == ([], ["1.JPG"])
    deliver_held(mailroom.folders, mailroom.inbox, 0)
    assert (mailroom.contents(), mailroom.held()) == ([PICTURE[:5000]], [])


def test_a_confirmed_part_is_not_handed_over_while_its_rest_arrives(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        send(client, "1.JPG", PICTURE[:5000])
        held = mailroom.folders.held / "ridge" / "north" / "1.JPG"
        wait_until(lambda: time.time() > held.stat().st_ctime + 2.5, 10)
        connection = client.transfercmd("APPE 1.JPG")
        wait_until(lambda: mailroom.received(), 10)
        deliver_held(mailroom.folders, mailroom.inbox, 2)
        assert (mailroom.contents(), mailroom.held()) == ([], ["1.JPG"])
        connection.sendall(PICTURE[5000:])
        connection.unwrap()  # type: ignore[attr-defined]
        connection.close()
        client.voidresp()
    assert mailroom.contents() == [PICTURE]


def test_a_new_photograph_does_not_replace_a_confirmed_part_of_another(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        send(client, "1.JPG", PICTURE[:5000])
        send(client, "1.JPG", jpeg(2))
    assert sorted(mailroom.contents()) == sorted([PICTURE[:5000], jpeg(2)])


def test_resuming_what_was_never_begun_is_refused(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client, pytest.raises(error_perm, match="550"):
        send(client, "1.JPG", PICTURE[5000:], rest=5000)
    assert not mailroom.contents()


def test_a_session_that_was_given_up_cannot_change_a_newer_transfer(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as old, signed_in(mailroom) as new:
        connection = old.transfercmd("STOR 1.JPG")
        connection.sendall(b"old")
        wait_until(lambda: mailroom.received(), 10)
        send(new, "1.JPG", PICTURE)
        connection.sendall(PICTURE)
        connection.unwrap()  # type: ignore[attr-defined]
        connection.close()
        with pytest.raises(error_temp, match="began this file again"):
            old.voidresp()
    assert mailroom.contents() == [PICTURE]


def test_a_rename_at_the_end_hands_over(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        assert send(client, "1.JPG.tmp", PICTURE).startswith("226")
        assert not mailroom.contents()
        client.rename("1.JPG.tmp", "1.JPG")
        assert mailroom.delivered() == {"1.JPG": PICTURE}


def test_a_rename_in_a_later_session_hands_over(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        send(client, "upload", PICTURE)
    with signed_in(mailroom) as client:
        client.rename("upload", "1.JPG")
    assert mailroom.delivered() == {"1.JPG": PICTURE}


def test_a_rename_that_never_comes_loses_nothing(mailroom: Mailroom) -> None:
    with signed_in(mailroom) as client:
        send(client, "1.JPG.tmp", PICTURE)
        send(client, ".hidden", PICTURE)
    deliver_held(mailroom.folders, mailroom.inbox, 0)
    assert mailroom.delivered() == {"1.JPG": PICTURE, "hidden.jpg": PICTURE}


# Limits.


def test_a_file_that_is_too_large_is_refused_and_not_kept(tmp_path: Path) -> None:
    with ftp_server(tmp_path, max_size=10_000) as mailroom, signed_in(mailroom) as client:
        connection = client.transfercmd("STOR 1.JPG")
        with contextlib.suppress(OSError), connection:
            for _ in range(100):
                connection.sendall(PICTURE)
        with pytest.raises(error_perm, match="552 File too large"):
            client.voidresp()
        assert not mailroom.received()
        assert not mailroom.contents()


def test_a_full_disk_refuses_and_confirms_nothing(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uncia.producers.mailroom.folders.RESERVE", 1 << 60)
    with signed_in(mailroom) as client, pytest.raises(error_perm, match="550"):
        send(client, "1.JPG", PICTURE)


def test_a_failure_of_the_disk_at_the_end_is_not_confirmed(mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("uncia.producers.mailroom.inbox._sync_file", fail)
    with signed_in(mailroom) as client, pytest.raises(error_temp, match="451 Input/output error"):
        send(client, "1.JPG", PICTURE)
    assert not mailroom.contents()


def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    with ftp_server(tmp_path, idle_s=1.0) as mailroom, pytest.raises(error_temp, match="421"), signed_in(mailroom) as c:
        c.getresp()


def test_more_connections_than_allowed_are_refused(tmp_path: Path) -> None:
    with ftp_server(tmp_path, connections=4) as mailroom, contextlib.ExitStack() as stack:
        stack.enter_context(pytest.raises(all_errors, match="421"))
        for _ in range(10):
            client = stack.enter_context(FTP_TLS(context=trusting_context(), timeout=60))
            client.connect(*mailroom.address)


def test_connections_in_turn_leak_no_file(mailroom: Mailroom) -> None:
    process = psutil.Process()
    with signed_in(mailroom) as client:
        send(client, "0.JPG", PICTURE)
    before = process.num_fds()
    for number in range(1, 50):
        with signed_in(mailroom) as client:
            send(client, f"{number}.JPG", PICTURE)
    assert len(mailroom.contents()) == 50
    wait_until(lambda: process.num_fds() <= before + 4, 10)
