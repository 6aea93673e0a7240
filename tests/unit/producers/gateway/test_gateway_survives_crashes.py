"""Whatever step the power is cut at: nothing is confirmed that the store did not take, and nothing is lost."""

import contextlib
import hashlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.producers.gateway.gateway_making import (
    Crash,
    Fate,
    Store,
    Told,
    photograph,
    rows,
    run,
)
from uncia.errors import DependencyDown
from uncia.producers.gateway.content import SourceUnreadable
from uncia.producers.gateway.uploader import StoreDisagrees
from uncia.storage.object_store import AccessRefused

TROUBLES = {
    "none": lambda: None,
    "down": lambda: DependencyDown("the store does not answer"),
    "refused": lambda: AccessRefused("wrong key"),
    "mismatch": lambda: StoreDisagrees("other bytes"),
    "card": lambda: SourceUnreadable("reading failed"),
}
NAMES = st.sampled_from(["a/1.JPG", "a/2.JPG", "a/copy of 1.jpg", "b/1.JPG", "b/DCIM/100RECNX/3.jpeg"])


@settings(max_examples=40)
@given(
    files=st.dictionaries(NAMES, st.sampled_from(["tiger", "heron", "nothing"]), min_size=1),
    strikes=st.lists(st.integers(1, 60), max_size=4),
    troubles=st.lists(st.sampled_from(sorted(TROUBLES)), max_size=6),
    copy=st.booleans(),
    remove=st.booleans(),
)
def test_every_file_ends_in_the_store_and_until_then_it_is_kept(
    files: dict[str, str], strikes: list[int], troubles: list[str], copy: bool, remove: bool
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, spool = Path(place, "card"), Path(place, "spool.sqlite")
        paths = {photograph(folder / name, content): content.encode() for name, content in files.items()}
        store, told = Store(*(TROUBLES[name]() for name in troubles)), Told()
        for strike in [*strikes, None]:
            with contextlib.suppress(Crash):
                summary = run(folder, spool, store, told, fate=Fate(strike), copy=copy, remove=remove)
            _nothing_is_lost(paths, store)
            _nothing_is_confirmed_that_the_store_did_not_take(spool, store)
        assert summary.complete
        assert {path for path in paths if _reported(told, path)} == set(paths)
        assert {path for path in paths if path.exists()} == (set() if remove else set(paths))
        assert list(spool.with_name("spool.sqlite.files").iterdir()) == []


def _nothing_is_lost(paths: dict[Path, bytes], store: Store) -> None:
    for path, content in paths.items():
        assert path.exists() or content in store.objects.values()


def _nothing_is_confirmed_that_the_store_did_not_take(spool: Path, store: Store) -> None:
    for row in rows(spool) if spool.exists() else []:
        if row["state"] == "confirmed":
            assert hashlib.sha256(store.objects[row["key"]]).hexdigest() == row["sha256"]
        if row["state"] == "duplicate":
            twin = next(other for other in rows(spool) if other["id"] == row["duplicate_of"])
            assert (twin["state"], twin["sha256"], twin["camera"]) == ("confirmed", row["sha256"], row["camera"])


def _reported(told: Told, path: Path) -> bool:
    return any(line["event"] in ("uploaded", "duplicate") and line["path"] == str(path) for line in told.lines)
