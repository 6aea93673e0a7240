"""`uncia train detector`: the frame and the precision of the package, before any data is read."""

import pytest
import typer

from uncia.commands import train_detector
from uncia.settings import Settings


@pytest.mark.parametrize("size", ["640", "640x", "0x480", "-32x480", "640x480x3"])
def test_a_frame_is_a_width_and_a_height(size: str) -> None:
    with pytest.raises(typer.BadParameter, match="as 640x480"):
        train_detector._frame(size)


def test_a_frame_the_network_cannot_divide_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="multiples of 32"):
        train_detector._frame("600x400")


def test_a_smaller_frame_keeps_the_strips_cut_off_and_is_one_window() -> None:
    spec = train_detector._frame("448x320")
    assert (spec.width, spec.height, spec.grid) == (448, 320, (1, 1))
    assert (spec.crop_top, spec.crop_bottom) == (0.04, 0.07)


@pytest.mark.parametrize(
    ("option", "setting", "int8"),
    [(None, "auto", True), (None, "float32", False), ("int8", "float32", True), ("float32", "auto", False)],
)
def test_the_option_goes_before_the_setting_and_auto_is_int8_without_a_detector_on_a_gpu(
    option: train_detector.Precision, setting: str, int8: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = Settings(detector_precision=setting, detector="")
    monkeypatch.setattr(train_detector, "settings", lambda: chosen)
    assert train_detector._is_int8(option) == int8
