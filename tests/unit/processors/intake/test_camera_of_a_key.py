"""Which camera a key belongs to."""

import pytest

from uncia.errors import PermanentError
from uncia.processors.intake.keys import CameraIdentity, KeyPattern
from uncia.settings import Settings

DEFAULT = KeyPattern(Settings.model_fields["key_pattern"].default)


@pytest.mark.parametrize(
    ("key", "station", "camera"),
    [
        ("ridge/cam-1/2026/01/02/20260102T030405-0123456789abcdef.jpg", "ridge", "cam-1"),
        ("ridge/cam-1/IMG_0001.JPG", "ridge", "cam-1"),
        ("station a/cam+1/IMG 0019+x%20.JPG", "station a", "cam+1"),
        ("Гора/камера 1/фото.jpg", "Гора", "камера 1"),
    ],
)
def test_the_first_two_folders_are_station_and_camera(key: str, station: str, camera: str) -> None:
    assert DEFAULT.identify(key) == CameraIdentity(station, f"{station}/{camera}")


@pytest.mark.parametrize("key", ["IMG_0001.JPG", "ridge/IMG_0001.JPG", "/cam/IMG.JPG", "ridge//IMG.JPG", ""])
def test_a_key_that_names_no_camera_is_outside_the_pattern(key: str) -> None:
    with pytest.raises(PermanentError, match="UNCIA_KEY_PATTERN") as outside:
        DEFAULT.identify(key)
    assert outside.value.reason == "key-outside-pattern"


def test_another_order_of_folders_is_a_matter_of_the_pattern() -> None:
    pattern = KeyPattern(r"(?P<camera>[^/]+)@(?P<station>[^/]+)/.*")
    assert pattern.identify("cam-1@ridge/x.jpg") == CameraIdentity("ridge", "ridge/cam-1")


def test_a_pattern_that_lets_a_slash_into_a_name_is_refused() -> None:
    # "a/b" + "c" and "a" + "b/c" would be one camera.
    with pytest.raises(PermanentError):
        KeyPattern(r"(?P<station>.+)/(?P<camera>[^/]+)/[^/]+").identify("a/b/c/x.jpg")


@pytest.mark.parametrize(
    "key", ["ho\u0308he/pfad\u00fc/1.jpg", "h\u00f6he/pfadu\u0308/1.jpg", "h\u00f6he /pfad\u00fc\u200b/1.jpg"]
)
def test_spellings_that_look_the_same_are_one_camera(key: str) -> None:
    assert DEFAULT.identify(key) == CameraIdentity("h\u00f6he", "h\u00f6he/pfad\u00fc")


def test_a_name_of_invisible_characters_alone_is_outside_the_pattern() -> None:
    with pytest.raises(PermanentError, match="no station and camera"):
        DEFAULT.identify("ridge/\u200b/1.jpg")


def test_a_pattern_with_letters_of_its_own_takes_keys_in_both_forms() -> None:
    pattern = KeyPattern("ho\u0308he/" r"(?P<station>[^/]+)/(?P<camera>[^/]+)/.*")
    assert (
        pattern.identify("h\u00f6he/a/b/1.jpg")
        == pattern.identify("ho\u0308he/a/b/1.jpg")
        == CameraIdentity("a", "a/b")
    )
