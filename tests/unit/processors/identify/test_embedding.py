"""The vectors of an embedder reach descriptions and indices, of its own taxa and sides only."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from tests.unit.processors.identify.builders import CAMERA, TAXON, burst, coat, crop_of
from tests.unit.processors.predict.s3_double import BUCKET, s3_double
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import SettingsError
from uncia.events import AnimalSide, IndividualCrop
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.processors.identify.descriptions import description_key
from uncia.processors.identify.embedding import LiveMatching, TaxonMatching, matching_by_taxon
from uncia.processors.identify.matching.description import Description
from uncia.processors.identify.matching.interface import NO_EMBEDDER, ForeignEmbedder
from uncia.processors.identify.stage import Stage
from uncia.serving.embedder_card import EmbedderCard, EmbedderSelfTest
from uncia.serving.model_versions import CARD_FILE, initial_state, write_version_state
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

CARD = EmbedderCard(
    model="coats",
    versions=("1",),
    frame=FrameSpec(width=40, height=30, crop_top=0, crop_bottom=0, window=40),
    dimensions=3,
    self_test=EmbedderSelfTest(vector=(1.0, 0.0, 0.0)),
    onnx_sha256="ab" * 32,
)
TAXONOMY = Taxonomy.load(Settings(_env_file=None).taxonomy_file)
CROP = IndividualCrop(crop_id="crp-1", bucket=BUCKET, key=crop_of(burst(1)).key)


class MeanColour:
    """An embedder whose vector is the mean colour; None while it fails."""

    def __init__(self) -> None:
        self.fails = False
        self.calls = 0

    def embed(self, card: EmbedderCard, crop: Pixels) -> NDArray[np.float32] | None:
        self.calls += 1
        return None if self.fails else np.asarray(crop.mean(axis=(0, 1)), dtype=np.float32)


def matching(client: MeanColour, *taxa: str, **card: object) -> Callable[[str], TaxonMatching]:
    return matching_by_taxon(CARD.model_copy(update={"taxa": taxa, **card}), client, TAXONOMY)


def stage_of(store: ObjectStore, found: Callable[[str], TaxonMatching]) -> Stage:
    return Stage(found, store, BUCKET, lambda taxon: taxon, lambda *_: (None, None))


def described(store: ObjectStore, found: Callable[[str], TaxonMatching], side: AnimalSide) -> Description:
    crop = CROP.model_copy(update={"side": side})
    result = stage_of(store, found).descriptions(TAXON).get(CAMERA, crop)
    assert result is not None
    return result


def test_a_description_has_the_vector_and_the_id_of_the_embedder() -> None:
    with s3_double() as (store, client):
        store.objects[CROP.key] = coat(1)
        found = described(client, matching(MeanColour()), AnimalSide.UNKNOWN)
    assert found.embedder == CARD.embedder_id
    np.testing.assert_allclose(found.embedding, np.full(3, 3**-0.5), atol=0.01)


def test_a_stored_description_is_not_embedded_again() -> None:
    embedder = MeanColour()
    with s3_double() as (store, client):
        store.objects[CROP.key] = coat(1)
        for _ in range(2):
            described(client, matching(embedder), AnimalSide.UNKNOWN)
    assert embedder.calls == 1


def test_a_description_of_another_version_is_embedded_again() -> None:
    embedder = MeanColour()
    with s3_double() as (store, client):
        store.objects[CROP.key] = coat(1)
        described(client, matching(embedder), AnimalSide.UNKNOWN)
        found = described(client, matching(embedder, versions=("2",)), AnimalSide.UNKNOWN)
    assert found.embedder.startswith("coats@2/")
    assert embedder.calls == 2


def test_a_crop_without_a_vector_is_matched_by_its_points_and_described_again_later() -> None:
    embedder = MeanColour()
    embedder.fails = True
    with s3_double() as (store, client), capture_logs() as lines:
        store.objects[CROP.key] = coat(1)
        found = described(client, matching(embedder), AnimalSide.UNKNOWN)
        assert description_key(CAMERA, CROP.crop_id) not in store.objects
    assert (len(found.embedding), found.quality.usable) == (0, True)
    assert [line["event"] for line in lines] == ["crop_not_embedded"]


@pytest.mark.parametrize(
    ("side", "dimensions"), [(AnimalSide.LEFT, 3), (AnimalSide.UNKNOWN, 3), (AnimalSide.RIGHT, 0), (AnimalSide.HEAD, 0)]
)
def test_a_side_that_the_embedder_never_learnt_has_no_vector(side: AnimalSide, dimensions: int) -> None:
    with s3_double() as (store, client):
        store.objects[CROP.key] = coat(1)
        found = described(client, matching(MeanColour(), sides=(AnimalSide.LEFT,)), side)
    assert len(found.embedding) == dimensions


@pytest.mark.parametrize(
    ("taxa", "embedder"),
    [((), CARD.embedder_id), ((TAXON,), CARD.embedder_id), (("Felidae",), CARD.embedder_id), (("Aves",), NO_EMBEDDER)],
)
def test_an_embedder_serves_its_taxa_and_what_is_below_them(taxa: tuple[str, ...], embedder: str) -> None:
    assert matching(MeanColour(), *taxa)(TAXON).matcher.embedder == embedder


def test_an_index_of_another_embedder_is_refused_with_a_sentence() -> None:
    first, second = matching(MeanColour())(TAXON), matching(MeanColour(), onnx_sha256="cd" * 32)(TAXON)
    with pytest.raises(ForeignEmbedder, match=r"coats@1/abab.* and the matcher uses coats@1/cdcd.*: rebuild the index"):
        second.matcher.propose([], None, None, first.matcher.new_index())


def installed(folder: Path, card: EmbedderCard) -> Settings:
    version = folder / card.model / card.version
    version.mkdir(parents=True)
    (version / CARD_FILE).write_text(card.model_dump_json())
    write_version_state(folder / card.model, initial_state(card.version))
    return Settings(_env_file=None, model_repository=folder, identify_embedder=card.model)


def test_the_embedder_of_the_settings_is_used(tmp_path: Path) -> None:
    live = LiveMatching(installed(tmp_path, CARD), TAXONOMY)
    assert live.current()(TAXON).matcher.embedder == CARD.embedder_id


def test_another_live_version_replaces_how_every_taxon_is_matched(tmp_path: Path) -> None:
    seconds = iter(range(0, 100, 10))
    live = LiveMatching(installed(tmp_path, CARD), TAXONOMY, clock=lambda: next(seconds))
    before = live.current()
    assert live.current() is before
    (tmp_path / CARD.model / "2").mkdir()
    (tmp_path / CARD.model / "2" / CARD_FILE).write_text(CARD.model_dump_json())
    write_version_state(tmp_path / CARD.model, initial_state("2"))
    assert live.current()(TAXON).matcher.embedder.startswith("coats@2/")


def test_without_an_embedder_in_the_settings_crops_have_no_vector(tmp_path: Path) -> None:
    live = LiveMatching(Settings(_env_file=None, model_repository=tmp_path), TAXONOMY)
    assert live.current()(TAXON).matcher.embedder == NO_EMBEDDER


def test_an_embedder_that_is_not_installed_is_refused_with_what_to_do(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, model_repository=tmp_path, identify_embedder="coats")
    with pytest.raises(SettingsError, match=r"no embedder .coats.*uncia models import"):
        LiveMatching(settings, TAXONOMY)


def test_a_model_of_another_kind_is_refused_as_an_embedder(tmp_path: Path) -> None:
    settings = installed(tmp_path, CARD)
    path = tmp_path / CARD.model / CARD.version / CARD_FILE
    path.write_text(path.read_text().replace('"embedder"', '"detector"'))
    with pytest.raises(SettingsError, match="the card of a detector, not of an embedder"):
        LiveMatching(settings, TAXONOMY)
