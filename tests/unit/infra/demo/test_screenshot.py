"""The picture of the README: small enough for the repository, and of simulated photographs only."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uncia.errors import StackError
from uncia.infra.demo import screenshot
from uncia.infra.demo.screenshot import MAX_BYTES, compressed, main


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_a_picture_has_the_best_quality_that_fits() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    best, small = compressed(png(noise)), compressed(png(noise), 20_000)
    assert len(small) <= 20_000 < len(best) < MAX_BYTES
    for data in (best, small):
        with Image.open(io.BytesIO(data)) as image:
            assert (image.size, image.format) == ((160, 120), "JPEG")
    with pytest.raises(StackError, match="more than 1 KB"):
        compressed(png(noise), 1000)


def test_without_a_simulated_demo_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenshot, "missing", str)
    with pytest.raises(StackError, match="run `make demo` first"):
        main(tmp_path, tmp_path / "out.jpg")
    (tmp_path / "bursts.jsonl").touch()
    with pytest.raises(StackError, match="your own photographs"):
        main(tmp_path, tmp_path / "out.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["bursts.jsonl"]
