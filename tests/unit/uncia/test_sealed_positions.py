"""A sealed position opens with its private key, for its photograph of its camera, and not otherwise."""

import pytest

from uncia.errors import SettingsError
from uncia.sealed_positions import PositionNotOpened, PositionPrivateKey, PositionPublicKey

PLACE: dict[str, float | str] = {"latitude": 41.504213, "longitude": 76.257613, "altitude_m": 3456.78}
PRIVATE = PositionPrivateKey.generate()
PUBLIC = PositionPublicKey(PRIVATE.public_text)


def test_the_private_key_opens_it() -> None:
    sealed = PUBLIC.seal(PLACE, camera="ridge/cam-1", sha256="ab")
    assert sealed.isascii() and len(sealed) < 400 and "41" not in sealed.split(".")[0]
    assert PositionPrivateKey(PRIVATE.text).open(sealed, camera="ridge/cam-1", sha256="ab") == PLACE


@pytest.mark.parametrize(("camera", "sha256"), [("ridge/cam-2", "ab"), ("ridge/cam-1", "ac")])
def test_it_does_not_open_for_another_camera_or_photograph(camera: str, sha256: str) -> None:
    with pytest.raises(PositionNotOpened):
        PRIVATE.open(PUBLIC.seal(PLACE, camera="ridge/cam-1", sha256="ab"), camera=camera, sha256=sha256)


@pytest.mark.parametrize("sealed", ["", "v1.", "v1.AAAA", "v1." + "A" * 400, "v2.AAAA", "v1.é"])
def test_a_damaged_one_is_a_plain_error(sealed: str) -> None:
    with pytest.raises(PositionNotOpened):
        PRIVATE.open(sealed, camera="ridge/cam-1", sha256="ab")


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(PositionNotOpened):
        PositionPrivateKey.generate().open(PUBLIC.seal(PLACE, camera="c", sha256="a"), camera="c", sha256="a")


@pytest.mark.parametrize("text", ["", "uncia-position-public-AAAA", PRIVATE.text], ids=["empty", "short", "private"])
def test_a_text_that_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        PositionPublicKey(text)


def test_long_texts_of_xmp_do_not_exceed_what_a_store_takes() -> None:
    many = {**PLACE, **{f"x:gps{number}": "9" * 60 for number in range(200)}}
    sealed = PUBLIC.seal(many, camera="c", sha256="a")
    assert len(sealed) < 1900
    assert PRIVATE.open(sealed, camera="c", sha256="a") == PLACE
