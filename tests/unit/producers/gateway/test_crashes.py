"""After a crash at any step, nothing is confirmed that is not stored, and no photograph is lost."""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.producers.gateway.builders import (
    Crash,
    CrashPlan,
    FakeStore,
    RecordingReporter,
    photograph,
    rows,
    run,
)
from uncia.errors import DependencyDown
from uncia.producers.gateway.content import SourceUnreadable
from uncia.producers.gateway.uploader import StoreMismatch
from uncia.storage.object_store import AccessRefused

FAILURES: dict[str, Callable[[], Exception | None]] = {
    "none": lambda: None,
    "down": lambda: DependencyDown("the store does not answer"),
    "refused": lambda: AccessRefused("wrong key"),
    "mismatch": lambda: StoreMismatch("other bytes"),
    "card": lambda: SourceUnreadable("reading failed"),
}
NAMES = st.sampled_from(["a/1.JPG", "a/2.JPG", "a/copy of 1.jpg", "b/1.JPG", "b/DCIM/100RECNX/3.jpeg"])


@settings(max_examples=40)
@given(
    files=st.dictionaries(NAMES, st.sampled_from(["tiger", "heron", "nothing"]), min_size=1),
    crash_steps=st.lists(st.integers(1, 60), max_size=4),
    failures=st.lists(st.sampled_from(sorted(FAILURES)), max_size=6),
    copy=st.booleans(),
    remove=st.booleans(),
)
def test_every_file_is_stored_and_none_is_removed_before(
    files: dict[str, str], crash_steps: list[int], failures: list[str], copy: bool, remove: bool
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, spool = Path(place, "card"), Path(place, "spool.sqlite")
        paths = {photograph(folder / name, content): content.encode() for name, content in files.items()}
        store, reporter = FakeStore(*(FAILURES[name]() for name in failures)), RecordingReporter()
        for crash_step in [*crash_steps, None]:
            with contextlib.suppress(Crash):
                summary = run(folder, spool, store, reporter, crashes=CrashPlan(crash_step), copy=copy, remove=remove)
            _check_nothing_lost(paths, store)
            _check_confirmed_are_stored(spool, store)
        assert summary.complete
        assert {path for path in paths if _reported(reporter, path)} == set(paths)
        assert {path for path in paths if path.exists()} == (set() if remove else set(paths))
        assert list(spool.with_name("spool.sqlite.files").iterdir()) == []


def _check_nothing_lost(paths: dict[Path, bytes], store: FakeStore) -> None:
    for path, content in paths.items():
        assert path.exists() or content in store.objects.values()


def _check_confirmed_are_stored(spool: Path, store: FakeStore) -> None:
    for row in rows(spool) if spool.exists() else []:
        if row["state"] == "confirmed":
            assert hashlib.sha256(store.objects[row["key"]]).hexdigest() == row["sha256"]
        if row["state"] == "duplicate":
            twin = next(other for other in rows(spool) if other["id"] == row["duplicate_of"])
            assert (twin["state"], twin["sha256"], twin["camera"]) == ("confirmed", row["sha256"], row["camera"])


def _reported(reporter: RecordingReporter, path: Path) -> bool:
    return any(line["event"] in ("uploaded", "duplicate") and line["path"] == str(path) for line in reporter.lines)
