"""A gateway that removes positions: the store gets none, and the spool keeps every promise."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.producers.gateway.builders import Crash, CrashPlan, FakeStore, RecordingReporter, jpeg, run
from tests.unit.uncia.imaging.metadata_builders import SECRETS, loaded_jpeg
from uncia.errors import DependencyDown
from uncia.imaging.gps_removal import remove_gps
from uncia.producers.gateway import uploader
from uncia.producers.gateway.uploader import Receipt, Upload
from uncia.sealed_positions import METADATA_NAME, PositionPrivateKey, PositionPublicKey
from uncia.settings import StripGps

PRIVATE = PositionPrivateKey.generate()
REMOVING: dict[str, Any] = {"strip_gps": StripGps.ON, "position_key": PositionPublicKey(PRIVATE.public_text)}
LOADED = loaded_jpeg(progressive=False)
BARE = remove_gps(LOADED).data


class StrippingStore(FakeStore):
    """Stores what the uploader would send, with its metadata."""

    def __init__(self, *failures: Exception | None) -> None:
        super().__init__(*failures)
        self.metadata: dict[str, dict[str, str]] = {}
        self.arrives_and_fails = 0

    def send(self, upload: Upload) -> Receipt:
        self.crashes.step()
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure
        data = uploader._read(upload, 0, upload.size + 1)
        assert hashlib.sha256(data).hexdigest() == upload.sha256
        assert hashlib.md5(data, usedforsecurity=False).hexdigest() == upload.md5
        self.objects[upload.key], self.metadata[upload.key] = data, uploader._metadata(upload)
        self.sent.append(upload.key)
        self.crashes.step()
        if self.arrives_and_fails:
            self.arrives_and_fails -= 1
            raise DependencyDown("the response was lost")
        return self._receipt(upload)


@pytest.fixture
def card(tmp_path: Path) -> Path:
    folder = tmp_path / "card" / "cam-1"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(LOADED)
    return folder.parent


def _secrets(store: StrippingStore) -> list[str]:
    everything = b"".join(store.objects.values()) + repr((store.sent, store.metadata)).encode()
    return [name for name, secret in SECRETS.items() if "GPS" in name and secret in everything]


@pytest.mark.parametrize("copy", [False, True])
def test_the_store_gets_no_position_and_the_private_key_opens_the_sealed_one(
    card: Path, tmp_path: Path, copy: bool
) -> None:
    store = StrippingStore()
    summary = run(card, tmp_path / "spool", store, copy=copy, **REMOVING)
    assert (summary.uploaded, summary.gps_kept, summary.complete) == (1, 0, True)
    [(key, data)] = store.objects.items()
    assert data == BARE
    assert _secrets(store) == []
    sealed = store.metadata[key][METADATA_NAME]
    position = PRIVATE.open(sealed, camera="ridge/cam-1", sha256=hashlib.sha256(data).hexdigest())
    assert position == remove_gps(LOADED).position


def test_nothing_in_the_store_is_a_hash_of_the_original(card: Path, tmp_path: Path) -> None:
    """Who knows the stripped bytes could try all positions against it."""
    store = StrippingStore()
    run(card, tmp_path / "spool", store, **REMOVING)
    outside = repr((store.sent, store.metadata))
    assert hashlib.sha256(BARE).hexdigest()[:16] in outside
    for digest in (hashlib.sha256(LOADED), hashlib.md5(LOADED, usedforsecurity=False)):
        assert digest.hexdigest()[:8] not in outside


def test_an_upload_whose_response_was_lost_is_found_and_not_stored_again(card: Path, tmp_path: Path) -> None:
    store = StrippingStore()
    store.arrives_and_fails = 1
    assert run(card, tmp_path / "spool", store, **REMOVING).uploaded == 1
    assert len(store.sent) == 1


def test_a_card_is_emptied_only_of_what_the_store_has(card: Path, tmp_path: Path) -> None:
    store = StrippingStore()
    summary = run(card, tmp_path / "spool", store, remove=True, **REMOVING)
    assert (summary.removed, list(card.rglob("*.jpg"))) == (1, [])
    assert list(store.objects.values()) == [BARE]


@pytest.mark.parametrize("crash_at", range(1, 40))
def test_a_crash_at_any_step_loses_and_doubles_nothing(card: Path, tmp_path: Path, crash_at: int) -> None:
    store = StrippingStore()
    try:
        run(card, tmp_path / "spool", store, crashes=CrashPlan(crash_at), remove=True, copy=True, **REMOVING)
    except Crash:
        run(card, tmp_path / "spool", store, remove=True, copy=True, **REMOVING)
    assert list(store.objects.values()) == [BARE]
    assert len(store.sent) == 1
    assert _secrets(store) == []


def test_a_file_that_was_read_before_the_setting_was_changed_is_read_again(card: Path, tmp_path: Path) -> None:
    for plan in range(1, 12):
        spool, store = tmp_path / f"spool-{plan}", StrippingStore()
        try:
            run(card, spool, store, crashes=CrashPlan(plan))
        except Crash:
            if store.objects:
                break  # uploaded with its position, as the setting then said
            run(card, spool, store, **REMOVING)
            assert list(store.objects.values()) == [BARE]


def test_what_is_no_jpeg_is_uploaded_counted_and_named(card: Path, tmp_path: Path) -> None:
    (card / "cam-1" / "b.jpg").write_bytes(b"II*\0 a raw file")
    (card / "cam-1" / "c.jpg").write_bytes(jpeg())
    store, reporter = StrippingStore(), RecordingReporter()
    summary = run(card, tmp_path / "spool", store, reporter, **REMOVING)
    assert (summary.uploaded, summary.gps_kept) == (3, 1)
    assert [line["path"].rpartition("/")[2] for line in reporter.of("gps-kept")] == ["b.jpg"]
    assert "1 with their position" in summary.sentence()


def test_a_strict_gateway_uploads_nothing_that_it_cannot_search(card: Path, tmp_path: Path) -> None:
    (card / "cam-1" / "b.jpg").write_bytes(b"II*\0 a raw file")
    store, reporter = StrippingStore(), RecordingReporter()
    summary = run(card, tmp_path / "spool", store, reporter, strip_gps=StripGps.STRICT, give_up_after_s=1000)
    assert list(store.objects.values()) == [BARE]
    assert (summary.remaining, summary.complete) == (1, False)
    assert "position cannot be removed" in reporter.of("failed")[0]["text"]
    assert METADATA_NAME not in next(iter(store.metadata.values()))
