"""The picture of the README: small enough for the repository, and of simulated photographs only."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uncia.errors import StackError
from uncia.infra.demo import screenshot
from uncia.infra.demo.screenshot import compressed, main


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_a_picture_that_is_small_enough_keeps_its_colours() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :, 0] = np.arange(60)
    with Image.open(io.BytesIO(compressed(png(pixels)))) as image:
        assert (np.asarray(image.convert("RGB")) == pixels).all()


def test_a_larger_picture_gets_fewer_colours_until_it_fits() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    small = compressed(png(noise), 20_000)
    assert len(small) <= 20_000
    with Image.open(io.BytesIO(small)) as image:
        assert (image.size, image.mode) == ((160, 120), "P")
    with pytest.raises(StackError, match="more than 1 KB"):
        compressed(png(noise), 1000)


def test_without_a_simulated_demo_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenshot, "chromium", lambda: "/usr/bin/chromium")
    with pytest.raises(StackError, match="run `make demo` first"):
        main(tmp_path, tmp_path / "out.png")
    (tmp_path / "bursts.jsonl").touch()
    with pytest.raises(StackError, match="your own photographs"):
        main(tmp_path, tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["bursts.jsonl"]
