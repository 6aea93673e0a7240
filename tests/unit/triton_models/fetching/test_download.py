"""Downloads over real sockets: resumed where they broke off, checked, and every failure in one sentence."""

import hashlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.triton_models.fetching.publisher import Publisher, running_publisher
from uncia.triton_models.fetching.download import DownloadFailed, Patience, RemoteFile, download

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def server() -> Iterator[Publisher]:
    with running_publisher() as publisher:
        yield publisher


@pytest.fixture
def publisher(server: Publisher) -> Publisher:
    server.files = {"model.bin": CONTENT}
    server.breaks_after, server.statuses, server.ranges, server.requests = [], [], True, []
    return server


class Waits:
    """Patience that records its waits instead of sleeping."""

    def __init__(self, attempts: int = 3) -> None:
        self.seconds: list[float] = []
        self.patience = Patience(attempts, timeout_s=20, sleep=self.seconds.append)


def remote(publisher: Publisher, name: str = "model.bin", sha256: str = SHA256) -> RemoteFile:
    return RemoteFile(publisher.address(name), {"sha256": sha256})


def refuse(remote_file: RemoteFile, target: Path, patience: Patience | None = None) -> str:
    with pytest.raises(DownloadFailed) as caught:
        download(remote_file, target, patience=patience or Waits().patience)
    assert not target.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_downloaded_and_checked(publisher: Publisher, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = download(remote(publisher), tmp_path / "a" / "m", progress=lambda have, size: seen.append((have, size)))
    assert found == SHA256
    assert (tmp_path / "a" / "m").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["m"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_file_that_is_there_is_checked_and_not_downloaded_again(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(CONTENT)
    assert download(remote(publisher), tmp_path / "m") == SHA256
    (tmp_path / "m").write_bytes(b"damaged")
    with pytest.raises(DownloadFailed, match=r"is not the published file .* delete it and try again"):
        download(remote(publisher), tmp_path / "m")
    assert publisher.requests == []


def test_redirects_are_followed(publisher: Publisher, tmp_path: Path) -> None:
    assert download(remote(publisher, "moved/model.bin?download=1"), tmp_path / "m") == SHA256


def test_a_connection_that_breaks_off_is_resumed_where_it_was(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after = [400_000, 1, 300_000]
    waits = Waits()
    assert download(remote(publisher), tmp_path / "m", patience=waits.patience) == SHA256
    assert (tmp_path / "m").read_bytes() == CONTENT
    assert [request.get("Range") for request in publisher.requests] == [
        None,
        "bytes=400000-",
        "bytes=400001-",
        "bytes=700001-",
    ]
    assert len(waits.seconds) == 3


def test_attempts_that_transfer_something_are_not_counted(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after = [1000] * 20
    assert download(remote(publisher), tmp_path / "m", patience=Waits(attempts=2).patience) == SHA256


def test_another_run_continues_a_download_that_was_given_up(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after = [500_000, 0, 0, 0]
    assert "500,000 bytes are kept, and the same command continues there" in refuse(remote(publisher), tmp_path / "m")
    publisher.breaks_after = []
    assert download(remote(publisher), tmp_path / "m") == SHA256
    assert publisher.requests[-1]["Range"] == "bytes=500000-"


def test_a_file_that_changed_meanwhile_is_downloaded_anew(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after = [500_000, 0, 0, 0]
    refuse(remote(publisher), tmp_path / "m")
    changed = CONTENT[::-1]
    publisher.files["model.bin"], publisher.breaks_after = changed, []
    expected = hashlib.sha256(changed).hexdigest()
    assert download(remote(publisher, sha256=expected), tmp_path / "m") == expected


def test_a_server_without_ranges_sends_the_file_anew(publisher: Publisher, tmp_path: Path) -> None:
    publisher.ranges, publisher.breaks_after = False, [500_000]
    assert download(remote(publisher), tmp_path / "m", patience=Waits().patience) == SHA256


def test_a_complete_part_is_only_checked(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "m.part").write_bytes(CONTENT)
    assert download(remote(publisher), tmp_path / "m") == SHA256


def test_a_part_that_is_longer_than_the_file_is_dropped(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "m.part").write_bytes(CONTENT + b"more")
    assert download(remote(publisher), tmp_path / "m", patience=Waits().patience) == SHA256


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(publisher: Publisher, tmp_path: Path) -> None:
    message = refuse(remote(publisher, sha256="0" * 64), tmp_path / "m")
    assert f"is not the published file (sha256 {SHA256}, and must be {'0' * 64}): it was deleted" in message
    assert list(tmp_path.iterdir()) == []


def test_checksums_of_other_algorithms_are_checked_too(publisher: Publisher, tmp_path: Path) -> None:
    md5 = hashlib.md5(CONTENT).hexdigest()
    assert download(RemoteFile(publisher.address("model.bin"), {"md5": md5}), tmp_path / "m") == SHA256


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (404, "does not exist any more (HTTP 404)"),
        (410, "does not exist any more (HTTP 410)"),
        (403, "may not be downloaded without signing in (HTTP 403)"),
    ],
)
def test_a_refusal_of_the_server_is_final(publisher: Publisher, tmp_path: Path, status: int, sentence: str) -> None:
    publisher.statuses = [status]
    assert sentence in refuse(remote(publisher), tmp_path / "m")
    assert len(publisher.requests) == 1


def test_a_server_that_is_overloaded_is_tried_again(publisher: Publisher, tmp_path: Path) -> None:
    publisher.statuses = [503, 429]
    assert download(remote(publisher), tmp_path / "m", patience=Waits().patience) == SHA256
    publisher.statuses = [500] * 3
    assert "the publisher answers with HTTP 500" in refuse(remote(publisher), tmp_path / "other")


def test_without_a_network_the_host_is_named(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/m"
        waits = Waits()
        assert "no connection to 127.0.0.1" in refuse(RemoteFile(address), tmp_path / "m", waits.patience)
    assert len(waits.seconds) == 2
    assert "no connection to nowhere.invalid" in refuse(RemoteFile("http://nowhere.invalid/m"), tmp_path / "m")


def test_a_full_disk_keeps_the_part(publisher: Publisher, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "m.part").symlink_to("/dev/full")
    assert f"the disk of {tmp_path} is full" in refuse(remote(publisher), tmp_path / "m")


def test_a_file_that_does_not_fit_is_refused_before_it_is_sent(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    assert "is full" in refuse(remote(publisher), tmp_path / "m")
    assert not (tmp_path / "m.part").exists()


def test_a_folder_that_cannot_be_written_is_named(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadFailed, match="cannot be written"):
        download(remote(publisher), tmp_path / "file" / "m", patience=Waits().patience)


def test_other_addresses_are_refused(tmp_path: Path) -> None:
    assert "is not an address of the web" in refuse(RemoteFile("file:///etc/hostname"), tmp_path / "m")
