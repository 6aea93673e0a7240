"""Parsing of py-spy's stacks."""

from benchmarks.profiling import read_stacks

_STACKS = """\
run (processors/predict/worker.py);decode_frame (uncia/imaging/frames.py);load (PIL/ImageFile.py) 60
run (processors/predict/worker.py);get (uncia/storage/object_store.py);readinto (socket.py) 20
main (threading.py);dump (json/encoder.py) 20
main (threading.py);EpollSelector.select (selectors.py) 900
"""


def test_shares_are_of_the_running_function() -> None:
    assert read_stacks(_STACKS).own[0] == ("load (PIL/ImageFile.py)", 0.6)


def test_shares_are_also_of_our_own_innermost_function() -> None:
    assert read_stacks(_STACKS).ours == [
        ("decode_frame (uncia/imaging/frames.py)", 0.6),
        ("get (uncia/storage/object_store.py)", 0.2),
        ("no function of Uncia", 0.2),
    ]


def test_idle_threads_do_not_count() -> None:
    assert not any("select" in name for name, _ in read_stacks(_STACKS).own)
