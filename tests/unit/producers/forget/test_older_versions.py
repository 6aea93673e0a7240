"""What was replaced or deleted long ago is removed, and nothing that a reader of a key gets."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.producers.forget.versioned_store import NOW, Killed, VersionedStore
from uncia.producers.forget.older_versions import OlderVersions

BUCKET = "b"
KEPT = "s/c/kept"
"""An object that stays in the folder."""
histories = st.lists(
    st.tuples(st.sampled_from(["s/c/1", "s/c/10", "s/c/2"]), st.sampled_from([b"one", b"other", None])), max_size=12
)


def stored(history: list[tuple[str, bytes | None]]) -> VersionedStore:
    store = VersionedStore()
    for key, data in history:
        store.put(key, data)
    store.put(KEPT, b"kept")
    return store


def older(store: VersionedStore, before: int) -> OlderVersions:
    """Those that were replaced by the first `before` changes."""
    return OlderVersions(store, BUCKET, NOW + timedelta(seconds=before))  # type: ignore[arg-type]


def expected(history: list[tuple[str, bytes | None]], before: int) -> dict[str, dict[str, bytes | None]]:
    """By definition: a version stays that is the last of its key, or whose successor is younger."""
    kept: dict[str, dict[str, bytes | None]] = {}
    for number, (key, data) in enumerate(history, 1):
        successor = next((at for at, (name, _) in enumerate(history, 1) if name == key and at > number), None)
        if successor is None or successor > before:
            kept.setdefault(key, {})[f"v{number:03d}"] = data
    return {
        key: versions
        for key, versions in kept.items()
        if not (len(versions) == 1 and None in versions.values() and int(next(iter(versions))[1:]) <= before)
    }


@given(histories, st.integers(0, 13))
def test_what_was_replaced_by_then_is_gone_and_the_rest_stays(
    history: list[tuple[str, bytes | None]], before: int
) -> None:
    store = stored(history)
    older(store, before).remove()
    left = {key: versions for key, versions in store.keys.items() if versions and key != KEPT}
    assert left == expected(history, before)


@given(histories, st.integers(0, 13), st.integers(1, 12))
def test_readers_of_a_key_get_the_same_at_every_moment(
    history: list[tuple[str, bytes | None]], before: int, killed_at: int
) -> None:
    store = stored(history)
    shown = {key: store.current(key) for key in store.keys}
    store.killed_at = killed_at
    try:
        older(store, before).remove()
    except Killed:
        assert {key: store.current(key) for key in store.keys} == shown
        older(store, before).remove()
    assert {key: store.current(key) for key in store.keys} == shown


def test_the_number_and_the_bytes_of_what_was_removed_are_returned() -> None:
    store = stored([("s/c/1", b"one"), ("s/c/1", b"other"), ("s/c/1", b"third")])
    assert older(store, 9).remove() == (2, len(b"one") + len(b"other"))
