"""Features: computed once and cached by content, also after kills and full disks."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.recipes.training.synthetic_data import SPEC, draw, make_samples

pytest.importorskip("torch")

import torch

from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training import TrainingError
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.feature_store.cache import FeatureCache, Rows
from uncia.training.features import extraction as features
from uncia.training.features import inputs
from uncia.training.features.backbone import Backbone
from uncia.training.features.extraction import cache_file, extract
from uncia.training.features.inputs import ImageRegion, augment
from uncia.training.features.trunk_extractor import PooledFeatures, TrunkExtractor

CUT = "block-5"


@pytest.fixture
def regions(tmp_path: Path) -> list[ImageRegion]:
    return [ImageRegion(sample.path) for sample in make_samples(tmp_path / "photographs", bursts=1)]


def test_rows_equal_torchs_features_of_the_whole_frame_and_each_window(lite0: Backbone, tmp_path: Path) -> None:
    frames = np.stack([draw("disc", 1)[0][:96, :128], draw("bar", 2)[0][:96, :128]])
    (rows,) = TrunkExtractor(lite0, (CUT,), SPEC, tmp_path)(frames)
    with torch.inference_mode():
        (expected,) = PooledFeatures(lite0, (CUT,), SPEC).eval()(torch.from_numpy(frames))

    assert rows.shape == (2, 1 + 2 * 3, 80)
    np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_a_second_run_computes_nothing(lite0: Backbone, regions: list[ImageRegion], tmp_path: Path) -> None:
    first = extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path)
    second = extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path)

    assert (first.computed, second.computed) == (len(regions), 0)


def test_rows_belong_to_the_content_and_not_to_the_name(
    lite0: Backbone, regions: list[ImageRegion], tmp_path: Path
) -> None:
    extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path)
    moved = regions[0].path.rename(tmp_path / "moved.jpg")

    assert extract([ImageRegion(moved)], ("plain",), lite0, (CUT,), SPEC, tmp_path).computed == 0


def test_each_augmentation_has_its_own_rows(lite0: Backbone, regions: list[ImageRegion], tmp_path: Path) -> None:
    extracted = extract(regions[:1], ("plain", "mirror", "colour"), lite0, (CUT,), SPEC, tmp_path)
    content = extracted.digests[0]
    assert content
    with FeatureCache(cache_file(tmp_path, lite0, CUT, SPEC)) as cache:
        plain, mirror, colour = (cache.get(regions[0].key(content, entry)) for entry in ("plain", "mirror", "colour"))

    assert not np.allclose(plain, mirror) and not np.allclose(plain, colour)


def test_the_colour_augmentation_is_seeded_by_the_content() -> None:
    pixels = draw("disc", 1)[0]

    np.testing.assert_array_equal(augment(pixels, "colour", "a"), augment(pixels, "colour", "a"))
    assert (augment(pixels, "colour", "a") != augment(pixels, "colour", "b")).any()


def test_several_cuts_are_computed_in_one_pass(lite0: Backbone, regions: list[ImageRegion], tmp_path: Path) -> None:
    extract(regions, ("plain",), lite0, ("block-2", CUT), SPEC, tmp_path)

    assert extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path).computed == 0
    assert extract(regions, ("plain",), lite0, ("block-2",), SPEC, tmp_path).computed == 0


def test_an_unreadable_photograph_is_reported_and_does_not_affect_the_others(
    lite0: Backbone, regions: list[ImageRegion], tmp_path: Path
) -> None:
    broken, missing = tmp_path / "broken.jpg", tmp_path / "missing.jpg"
    broken.write_bytes(regions[0].path.read_bytes()[:200])
    extracted = extract(
        [ImageRegion(broken), *regions, ImageRegion(missing)], ("plain",), lite0, (CUT,), SPEC, tmp_path
    )

    assert set(extracted.unreadable) == {broken, missing}
    assert extracted.digests[0] is None and extracted.digests[-1] is None
    assert extracted.computed == len(regions)


@pytest.mark.parametrize("kind", ["I;16", "CMYK", "L", "RGBA"])
def test_files_of_any_kind_have_features(lite0: Backbone, tmp_path: Path, kind: str) -> None:
    pixels = draw("disc", 1)[0]
    if kind == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(pixels).convert(kind)
    path = tmp_path / ("x.jpg" if kind == "CMYK" else "x.png")
    image.save(path)

    assert extract([ImageRegion(path)], ("plain",), lite0, (CUT,), SPEC, tmp_path).unreadable == {}


def test_a_killed_extraction_loses_at_most_one_chunk(
    lite0: Backbone, regions: list[ImageRegion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    put = FeatureCache.put

    def put_and_die(*args: Any) -> None:
        put(*args)
        raise Killed

    monkeypatch.setattr(features, "_CHUNK", 2)
    with monkeypatch.context() as patched:
        patched.setattr(FeatureCache, "put", put_and_die)
        with pytest.raises(Killed):
            extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path)

    assert extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path).computed == len(regions) - 2


def test_a_full_disk_is_reported_and_cached_rows_remain(
    lite0: Backbone, regions: list[ImageRegion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(regions[:1], ("plain",), lite0, (CUT,), SPEC, tmp_path)
    connected = FeatureCache.__init__

    def tiny(self: FeatureCache, path: Path) -> None:
        connected(self, path)
        self._database.execute("PRAGMA max_page_count = 1")

    monkeypatch.setattr(FeatureCache, "__init__", tiny)
    with pytest.raises(TrainingError, match=r"cannot be written .*full"):
        extract(
            [*regions, *(dataclasses.replace(region, box=(0, 0, 1, 1)) for region in regions)] * 4,
            ("plain", "mirror", "colour"),
            lite0,
            (CUT,),
            SPEC,
            tmp_path,
        )
    monkeypatch.undo()

    assert extract(regions[:1], ("plain",), lite0, (CUT,), SPEC, tmp_path).computed == 0


def test_a_cache_path_that_is_a_file_is_reported_with_advice(
    lite0: Backbone, regions: list[ImageRegion], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(TrainingError, match=r"cannot be written \(File exists\): .* another folder with --cache"):
        extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path / "file")


@pytest.mark.parametrize("first_damaged_byte", [0, 4096], ids=["no database", "torn pages"])
def test_a_damaged_cache_is_reported_with_advice(
    first_damaged_byte: int, lite0: Backbone, regions: list[ImageRegion], tmp_path: Path
) -> None:
    extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path)
    file = cache_file(tmp_path, lite0, CUT, SPEC)
    data = file.read_bytes()
    file.write_bytes(data[:first_damaged_byte] + b"\xa5" * (len(data) - first_damaged_byte))

    with pytest.raises(TrainingError, match=r"is damaged \(.*\): remove the file"):
        extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path)


def test_at_most_one_chunk_of_frames_is_in_flight(
    lite0: Backbone, regions: list[ImageRegion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[ImageRegion] = []
    stored: list[int] = []
    in_flight: list[int] = []
    load_pixels, put = inputs.load_pixels, FeatureCache.put

    def counting_load(region: ImageRegion, spec: FrameSpec) -> Pixels:
        loaded.append(region)
        return load_pixels(region, spec)

    def counting_put(cache: FeatureCache, computed: Iterable[tuple[str, Rows]]) -> None:
        in_flight.append(len(loaded) - sum(stored))
        rows = list(computed)
        put(cache, rows)
        stored.append(len(rows))

    monkeypatch.setattr(features, "_CHUNK", 2)
    monkeypatch.setattr(features, "load_pixels", counting_load)
    monkeypatch.setattr(FeatureCache, "put", counting_put)
    extract(regions, ("plain",), lite0, (CUT,), SPEC, tmp_path)

    assert sum(stored) == len(regions)
    assert max(in_flight) == 2


def test_the_crop_of_a_box_is_not_the_frame(lite0: Backbone, regions: list[ImageRegion], tmp_path: Path) -> None:
    from uncia.training.features.inputs import load_pixels

    whole = load_pixels(regions[0], SPEC)
    crop = load_pixels(dataclasses.replace(regions[0], box=(0.2, 0.2, 0.3, 0.3)), SPEC)

    np.testing.assert_array_equal(whole, load_frame(regions[0].path, SPEC))
    assert (crop != whole).any()
