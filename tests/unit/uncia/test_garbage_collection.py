"""Garbage collection is suspended while modules are imported, and as before afterwards."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from uncia.garbage_collection import suspended_for_imports


@pytest.fixture(autouse=True)
def _thaw() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_in_the_block_and_collection_continues_after_an_error_in_it() -> None:
    with pytest.raises(ImportError), suspended_for_imports():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_collection_that_was_off_before_stays_off() -> None:
    gc.disable()
    with suspended_for_imports():
        pass
    assert not gc.isenabled()


class _Node:
    """An object that can be part of a cycle."""

    other: "_Node"


def test_cycles_that_are_made_afterwards_are_collected() -> None:
    with suspended_for_imports():
        pass
    node = _Node()
    node.other = node
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None
