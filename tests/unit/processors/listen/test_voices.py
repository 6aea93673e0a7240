"""No spectrogram shows audio of a window with a voice, and all others are kept."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uncia.processors.listen.calls import HeardWindow
from uncia.processors.listen.voices import ScoredWindow, VoiceFilter

PICTURE = np.zeros((1, 1), np.uint8)


def _passed(voices: list[bool], length: int, hop: int) -> list[ScoredWindow]:
    """What comes out for windows of this length, in seconds, that start every `hop` seconds."""
    voice_filter, passed = VoiceFilter(), []
    for number, voice in enumerate(voices):
        start, end = number * hop, number * hop + length
        passed += voice_filter.add(ScoredWindow(start, end, {0: HeardWindow(start, end, 0.9, PICTURE)}, voice))
    return passed + voice_filter.finish()


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_exactly_the_windows_that_overlap_one_with_a_voice_lose_their_spectrogram(
    voices: list[bool], hop: int, overlaps: int
) -> None:
    length = hop * overlaps
    passed = _passed(voices, length, hop)
    with_voice = [window for window in passed if window.voice]
    for window in passed:
        overlapped = any(window.start_s < other.end_s and other.start_s < window.end_s for other in with_voice)
        assert (window.heard[0].picture is None) == overlapped


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4))
def test_every_window_comes_out_once_and_in_order(voices: list[bool], hop: int) -> None:
    passed = _passed(voices, 4, hop)
    assert [(window.start_s, window.voice) for window in passed] == [
        (number * hop, voice) for number, voice in enumerate(voices)
    ]


def test_a_window_is_held_no_longer_than_another_can_overlap_it() -> None:
    voice_filter = VoiceFilter()
    counts = [len(voice_filter.add(ScoredWindow(start, start + 3, {}, False))) for start in range(6)]
    assert counts == [0, 0, 0, 1, 1, 1]
