"""What a burst with detections shows: animal, person, vehicle or blank, the taxon, and how many."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.processors.bursts.builders import (
    CONFIG,
    Camera,
    Found,
    Photo,
    class_names,
    detections,
    frame_record,
    predicted,
)
from uncia.camtrap.checklist import Checklists
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import PermanentError, SettingsError
from uncia.events import (
    BurstCategory,
    BurstResolved,
    ClassVector,
    DetectionCategory,
    ImagePredicted,
    LuminanceGrid,
    TaxonVerdict,
)
from uncia.processors.bursts.categories import individuals
from uncia.processors.bursts.class_names import ClassName
from uncia.processors.bursts.config import BurstConfig, CategoryConfig
from uncia.processors.bursts.crop_taxa import CropClasses
from uncia.processors.bursts.frame_record import MAX_BOXES, FrameRecord
from uncia.processors.bursts.verdict import Evaluation, VerdictBuilder
from uncia.processors.bursts.verdict_sources import VerdictSources, verdict_sources
from uncia.settings import read_settings

ANIMAL, PERSON, VEHICLE = DetectionCategory
CLASSES = (
    ("lynx", "Lynx lynx", "animal"),
    ("leopard", "Panthera pardus", "animal"),
    ("snow leopard", "Panthera uncia", "animal"),
    ("heron", "Ardea alba", "animal"),
    ("stone wall", "", "nothing"),
    ("coat", "Homo sapiens", "person"),
)
TAXONOMY = Taxonomy.load()
NO_BOX: tuple[Found, ...] = ()


def names(_label_set: str, index: int) -> ClassName | None:
    return ClassName(*CLASSES[index]) if index < len(CLASSES) else None


def classes(**scores: float) -> tuple[float, ...]:
    return tuple(scores.get(label.replace(" ", "_"), 0.0) for label, *_ in CLASSES)


def animal(**scores: float) -> Found:
    return Found(0.9, classes=classes(**scores))


def photos(*frames: tuple[Found, ...], **more: Any) -> list[Photo]:
    """Frames of a burst in which what was detected moves from frame to frame."""
    return [Photo(f"p{number}", number, boxes=found, scores=(0.0,) * 6, **more) for number, found in enumerate(frames)]


def evaluate(
    taken: list[Photo], checklist: Path | None = None, static: Any = (), config: CategoryConfig | None = None
) -> Evaluation:
    sources = VerdictSources(taxonomy=TAXONOMY, checklists=Checklists(TAXONOMY, checklist))
    settings = replace(CONFIG, category=config or CategoryConfig(), certain_from=1)
    return VerdictBuilder(settings, names, sources=sources).evaluate(
        [frame_record(photo) for photo in taken], "ridge/north", static
    )


def verdict(*args: Any, **more: Any) -> TaxonVerdict:
    return evaluate(*args, **more).taxa[0]


def category(found: Evaluation) -> BurstCategory:
    assert found.category is not None
    return found.category.category


def test_an_unsure_cat_is_a_felid_whose_score_is_no_probability() -> None:
    found = verdict(photos((animal(lynx=0.4, leopard=0.35),)))
    assert (found.taxon, found.label, found.rank, found.group) == ("Felidae", "Felidae", "family", "animal")
    assert 0.95 < found.score < 1
    assert (found.confidence, found.certain) == (None, False)


def test_a_sure_species_is_named_as_its_class() -> None:
    found = verdict(photos((animal(lynx=0.8),)))
    assert (found.taxon, found.label, found.rank) == ("Lynx lynx", "lynx", "species")


def test_an_unsure_anything_is_an_animal_with_its_calibrated_probability() -> None:
    found = evaluate(photos((animal(lynx=0.3, heron=0.2),)))
    assert found.category is not None
    first = found.taxa[0]
    assert (first.taxon, first.label, first.rank) == ("Animalia", "animal", "kingdom")
    assert first.score == first.confidence == found.category.animal_probability
    assert [taxon.label for taxon in found.taxa] == ["animal", "lynx", "heron"]
    assert not any(taxon.certain for taxon in found.taxa[1:])


def test_an_animal_whose_crop_resembles_a_thing_or_a_person_is_an_animal() -> None:
    found = evaluate(photos((animal(stone_wall=0.9, coat=0.1),)))
    assert [taxon.label for taxon in found.taxa] == ["animal"]


def test_without_a_likeness_to_any_animal_the_classes_of_a_label_set_name_no_taxon() -> None:
    assert verdict(photos((animal(stone_wall=0.7, lynx=0.04),))).taxon == "Animalia"


def test_what_no_camera_trap_records_is_no_taxon_of_a_crop() -> None:
    taxonomy = Taxonomy.load(None)
    classes = ("Nematoda", "Insecta", "Lynx lynx")
    lookup = lambda _set, index: ClassName("x", classes[index], "animal") if index < len(classes) else None  # noqa: E731
    assert CropClasses(lookup, taxonomy).prior("any@1", frozenset()).keys() == {"Lynx lynx"}


def test_frames_that_the_animal_has_left_do_not_dilute_its_taxon() -> None:
    found = evaluate(photos((animal(lynx=0.9),), NO_BOX, NO_BOX, NO_BOX, NO_BOX))
    assert found.taxa[0].taxon == "Lynx lynx"
    assert found.taxa[0].score > 0.9
    assert found.category is not None
    assert found.deciding == {"img-p0"}
    assert found.boxes["img-p0"] == Found().box


def test_without_any_box_a_burst_is_blank_and_says_how_sure_that_is() -> None:
    found = evaluate(photos(NO_BOX, NO_BOX, NO_BOX))
    assert found.category is not None
    first = found.taxa[0]
    assert category(found) is BurstCategory.BLANK
    assert (first.label, first.group, first.taxon) == ("blank", "nothing", "")
    assert first.score == first.confidence == pytest.approx(1 - found.category.animal_probability)
    assert (found.category.count, found.category.best_crop) == (None, None)
    assert not found.deciding


def test_a_person_or_vehicle_anywhere_is_reported_and_a_person_withholds_the_crops() -> None:
    animals = (animal(lynx=0.9), Found(0.8, (0.7, 0.1, 0.1, 0.5), PERSON))
    found = evaluate(photos((animal(lynx=0.9),), animals, (Found(0.7, (0.0, 0.5, 0.3, 0.3), VEHICLE),)))
    assert found.category is not None
    assert category(found) is BurstCategory.PERSON
    assert [taxon.label for taxon in found.taxa] == ["person", "vehicle", "lynx"]
    assert (found.category.crops_withheld, found.category.best_crop) == (True, None)
    assert [frame.category for frame in found.category.frames.values()] == ["animal", "person", "vehicle"]
    assert found.taxa[0].confidence is None


@pytest.mark.parametrize(("categories", "withheld"), [((ANIMAL,), True), ((ANIMAL, PERSON), False), (None, False)])
def test_a_detector_that_knows_no_persons_withholds_the_crops(
    categories: tuple[DetectionCategory, ...] | None, withheld: bool
) -> None:
    event = predicted(Photo("a", 0))
    detection = detections((animal(lynx=0.9),), categories)
    record = FrameRecord.from_prediction(event.model_copy(update={"detection": detection}))
    found = VerdictBuilder(CONFIG, names).evaluate([record])
    assert found.category is not None
    assert category(found) is BurstCategory.ANIMAL
    assert (found.category.crops_withheld, found.category.best_crop is None) == (withheld, withheld)


def test_crops_with_persons_may_be_allowed() -> None:
    found = evaluate(photos((Found(0.8, category=PERSON),)), config=CategoryConfig(withhold_crops=False))
    assert found.category is not None
    assert found.category.best_crop is not None
    assert (found.category.crops_withheld, found.category.best_crop.category) == (False, PERSON)


def test_a_doubtful_person_is_none() -> None:
    assert category(evaluate(photos((Found(0.3, category=PERSON),)))) is BurstCategory.BLANK


def test_an_animal_box_at_the_place_of_a_vehicle_is_the_vehicle() -> None:
    box = (0.2, 0.3, 0.5, 0.4)
    found = evaluate(photos((Found(0.9, box), Found(0.7, (0.22, 0.3, 0.5, 0.4), VEHICLE))))
    assert [taxon.label for taxon in found.taxa] == ["vehicle"]


def test_a_focus_taxon_that_reaches_its_threshold_is_the_verdict_whatever_else_is_there() -> None:
    found = evaluate(photos((animal(lynx=0.9), Found(0.6, (0.0, 0.5, 0.3, 0.3), VEHICLE)), focus=0.03))
    assert found.taxa[0].label == "snow leopard"
    assert (found.taxa[0].focus, found.taxa[0].certain, found.taxa[0].threshold) == (True, True, 0.02)
    assert category(found) is BurstCategory.ANIMAL
    assert [taxon.label for taxon in found.taxa] == ["snow leopard", "vehicle"]


def test_a_focus_taxon_is_found_where_the_detector_is_blind() -> None:
    found = evaluate(photos(NO_BOX, NO_BOX, focus=0.5))
    assert found.category is not None
    assert (category(found), found.taxa[0].label, found.category.count) == (BurstCategory.ANIMAL, "snow leopard", 1)


def leopard_focus(record: FrameRecord, score: float) -> FrameRecord:
    return record.model_copy(
        update={"focus": tuple(s.model_copy(update={"taxon": "Panthera uncia", "score": score}) for s in record.focus)}
    )


@pytest.mark.parametrize("likeness", [0.3, 0.95])
def test_a_heron_or_jaguar_below_the_focus_threshold_is_never_a_snow_leopard(likeness: float) -> None:
    taken = photos((animal(snow_leopard=likeness, leopard=0.04),), focus=0.01)
    records = [leopard_focus(frame_record(photo), 0.01) for photo in taken]
    found = VerdictBuilder(CONFIG, names).evaluate(records)
    assert all(taxon.taxon != "Panthera uncia" for taxon in found.taxa)
    assert found.taxa[0].taxon == "Panthera"


def test_a_species_that_cannot_occur_is_reported_as_its_genus_or_family(tmp_path: Path) -> None:
    listed = tmp_path / "taxa.txt"
    listed.write_text("Panthera uncia\nVulpes vulpes\n", encoding="utf-8")
    assert verdict(photos((animal(leopard=0.8),)), listed).taxon == "Panthera"
    found = evaluate(photos((animal(lynx=0.9),)), listed)
    assert found.taxa[0].taxon == "Felidae"
    assert all(taxon.taxon != "Lynx lynx" for taxon in found.taxa)


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([(0.3 + n / 500, 0.3, 0.2, 0.3) for n in range(10)], 1),
        ([(0.1, 0.1, 0.4, 0.4), (0.12, 0.12, 0.15, 0.15)], 1),
        ([(0.1, 0.1, 0.2, 0.2), (0.5, 0.1, 0.2, 0.2), (0.5, 0.6, 0.2, 0.2)], 3),
    ],
)
def test_overlapping_boxes_are_one_individual(boxes: list[Any], count: int) -> None:
    found = evaluate(photos(tuple(Found(0.9, box) for box in boxes)))
    assert found.category is not None
    assert found.category.count == count == len(individuals(boxes))


BODY, HEAD, YOUNG = (0.1, 0.3, 0.4, 0.3), (0.45, 0.2, 0.14, 0.18), (0.45, 0.4, 0.3, 0.2)


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ((Found(0.8, BODY), Found(0.7, HEAD)), 1),
        ((Found(0.9, HEAD), Found(0.7, BODY)), 1),
        ((Found(0.8, BODY), Found(0.7, (0.7, *HEAD[1:]))), 2),
        ((Found(0.8, BODY), Found(0.7, YOUNG)), 2),
        ((Found(0.8, BODY), Found(0.45, YOUNG)), 1),
        ((Found(0.8, BODY, PERSON), Found(0.7, HEAD, PERSON)), 2),
    ],
    ids=["head", "head first", "small and apart", "half the size", "unsure", "person far away"],
)
def test_the_head_of_an_animal_is_not_a_second_one(boxes: tuple[Found, ...], count: int) -> None:
    found = evaluate(photos(boxes))
    assert found.category is not None
    assert found.category.count == count


def test_the_count_is_that_of_the_frame_that_has_most() -> None:
    two = (Found(0.9, (0.1, 0.1, 0.2, 0.2)), Found(0.8, (0.6, 0.6, 0.2, 0.2)))
    found = evaluate(photos((Found(),), two, (Found(),)))
    assert found.category is not None
    assert found.category.count == 2


def test_the_best_crop_is_a_box_exactly_as_it_was_published() -> None:
    box = (0.12345, 0.2, 0.31, 0.4)
    found = evaluate(photos((Found(0.3),), (Found(0.95, box),)))
    assert found.category is not None
    assert found.category.best_crop is not None
    assert (found.category.best_crop.image_id, found.category.best_crop.box) == ("img-p1", box)


def test_a_static_object_is_flagged_and_outvoted_and_stays_in_the_event() -> None:
    stump = (0.3, 0.3, 0.2, 0.3)
    taken = photos((Found(0.6, stump),), (Found(0.6, stump),), (Found(0.6, stump),), grey=90)
    before, after = evaluate(taken), evaluate(taken, static=[stump])
    assert before.category is not None
    assert after.category is not None
    assert after.category.animal_probability < before.category.animal_probability
    assert after.category.best_crop is None
    assert all(frame.boxes[0].static for frame in after.category.frames.values())
    assert all(frame.boxes[0].static is None for frame in before.category.frames.values())


def test_a_static_vehicle_is_no_vehicle() -> None:
    box = (0.3, 0.3, 0.2, 0.3)
    found = evaluate(photos((Found(0.9, box, VEHICLE),)), static=[box])
    assert category(found) is BurstCategory.BLANK


@pytest.mark.parametrize(
    "box", [(0.5, 0.5, 0, 0.1), (0.5, 0.5, -0.1, 0.1), (3, 3, 1, 1), (-1e300, 0, 1e300, 1), (0, 0, 1e308, 1e308)]
)
def test_boxes_that_are_no_rectangle_in_the_photograph_are_ignored(box: Any) -> None:
    record = frame_record(Photo("odd", 0, boxes=(Found(0.9, box),)))
    assert record.has_detections
    assert record.boxes == ()
    assert category(evaluate([Photo("odd", 0, boxes=(Found(0.9, box),))])) is BurstCategory.BLANK


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_box_whose_numbers_are_not_finite_is_refused(number: str) -> None:
    raw = predicted(Photo("odd", 0, boxes=(Found(0.9, (0.125, 0.2, 0.3, 0.4)),))).to_bytes()
    with pytest.raises(PermanentError):
        ImagePredicted.from_bytes(raw.replace(b"0.125", number.encode()))


def test_of_a_hundred_boxes_the_best_ten_are_stored() -> None:
    boxes = tuple(Found((n * 37 % 100) / 100, (0.1, 0.1, 0.1 + n / 1000, 0.2)) for n in range(100))
    record = frame_record(Photo("many", 0, boxes=boxes))
    assert len(record.boxes) == MAX_BOXES
    assert [stored.score for stored in record.boxes] == sorted((found.score for found in boxes), reverse=True)[:10]


def test_a_record_with_detections_survives_being_stored_and_stays_small() -> None:
    boxes = tuple(Found(0.9 - n / 20, (0.1, 0.1, 0.1 + n / 50, 0.2), classes=classes(lynx=0.6)) for n in range(10))
    record = frame_record(Photo("full", 0, boxes=boxes, grey=90))
    stored = record.model_dump_json(exclude_defaults=True)
    assert FrameRecord.model_validate_json(stored) == record
    assert len(stored) < 5000
    grid = FrameRecord.model_validate_json(stored).luminance_grid
    assert grid is not None
    assert grid.shape == (36, 48)


def test_a_record_of_before_detections_is_readable() -> None:
    record = frame_record(Photo("old", 0))
    stored = record.model_dump_json(exclude_defaults=True)
    assert not any(name in stored for name in ("detector", "boxes", "luminance", "crop"))
    assert not FrameRecord.model_validate_json(stored).has_detections


def test_a_luminance_grid_that_is_too_large_is_left_out_and_a_wrong_one_refused() -> None:
    event = predicted(Photo("grid", 0, boxes=()))
    large = LuminanceGrid.pack(np.zeros((100, 100), dtype=np.uint8))
    assert not FrameRecord.from_prediction(event.model_copy(update={"luminance": large})).luminance
    wrong = LuminanceGrid(rows=3, columns=3, u8="AAAA")
    with pytest.raises(PermanentError, match="luminance"):
        FrameRecord.from_prediction(event.model_copy(update={"luminance": wrong}))


def test_a_crop_vector_that_holds_no_probabilities_is_refused() -> None:
    event = predicted(Photo("crop", 0, boxes=(Found(),)))
    assert event.detection is not None
    odd = ClassVector.pack(np.array([0.5, np.nan], dtype=np.float32))
    boxes = tuple(found.model_copy(update={"classes": odd}) for found in event.detection.detections)
    detection = event.detection.model_copy(update={"detections": boxes})
    with pytest.raises(PermanentError, match=r"detection\.classes"):
        FrameRecord.from_prediction(event.model_copy(update={"detection": detection}))


def test_files_that_cannot_be_used_stop_the_worker_with_a_sentence(tmp_path: Path) -> None:
    cycle = tmp_path / "taxa.csv"
    cycle.write_text("taxon,rank,parent\nAus,genus,Aus\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="cycle"):
        verdict_sources(read_settings(taxonomy_file=cycle))
    with pytest.raises(SettingsError, match="cannot be read"):
        verdict_sources(read_settings(taxa_allowed=tmp_path / "none.txt"))
    with pytest.raises(SettingsError, match="presence model"):
        verdict_sources(read_settings(presence_model=tmp_path / "none.json"))


def test_other_files_give_the_verdicts_another_digest_of_settings(tmp_path: Path) -> None:
    listed = tmp_path / "taxa.txt"
    listed.write_text("Felidae\n", encoding="utf-8")
    one, other = verdict_sources(read_settings()), verdict_sources(read_settings(taxa_allowed=listed))
    assert other.checklists.of("ridge/north") is not None
    assert BurstConfig.from_settings(read_settings(), "", one.digest).digest() != (
        BurstConfig.from_settings(read_settings(), "", other.digest).digest()
    )


def test_without_a_detector_a_burst_has_neither_category_nor_boxes() -> None:
    (event,) = Camera().arrive(Photo("a", 0), 0)
    assert (event.category, event.animal_probability, event.count, event.crops_withheld, event.fusion) == (None,) * 5
    assert (event.frames[0].category, event.frames[0].boxes) == (None, None)
    assert event.rule == "log-odds/1"


def test_the_event_has_category_count_best_crop_and_the_weights_that_decided() -> None:
    (event,) = Camera().arrive(Photo("a", 0, boxes=(Found(0.95, classes=(0.9, 0.0, 0.0, 0.0)),)), 0)
    assert (event.category, event.count, event.crops_withheld) == (BurstCategory.ANIMAL, 1, False)
    assert event.best_crop is not None
    assert event.fusion is not None
    assert event.rule == "roll-up/1"
    assert event.frames[0].boxes is not None
    assert event.frames[0].deciding
    assert BurstResolved.from_bytes(event.to_bytes()) == event


def test_frames_that_no_detector_saw_are_left_out_of_the_category() -> None:
    camera = Camera()
    camera.arrive(Photo("a", 0), 0)
    (event,) = camera.arrive(Photo("b", 1, boxes=(Found(0.95),)), 1)
    assert event.category is BurstCategory.ANIMAL
    assert (event.frames[0].boxes, event.frames[0].category) == (None, None)
    assert class_names("test@1", 0) is not None
