"""Camtrap DP exported and imported into an empty catalogue gives the same tables, as far as the format holds them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, make_url, select

from tests.unit.dashboard.catalogue.catalogue_data import BUCKET, ProjectEvents, fill_catalogue
from tests.unit.dashboard.catalogue.contents import contents
from uncia import ids
from uncia.dashboard.catalogue import tables
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.exports.formats import ExportFormat, ExportOptions, export_catalogue
from uncia.dashboard.imports.importing import ImportOptions, import_data
from uncia.events import (
    BurstCategory,
    BurstFrame,
    BurstResolved,
    BurstStatus,
    DeploymentChanged,
    DetectionCategory,
    Event,
    FrameBox,
    ObservationReviewed,
    Rejection,
    ReviewDecision,
    ReviewedBox,
    ReviewedObservation,
    Sensitivity,
    TaxonVerdict,
    Trigger,
)

HELD: dict[str, tuple[str, ...]] = {
    "deployments": (
        *("camera", "deployment_id", "starts_at", "ends_at", "utc_offset_minutes", "latitude", "longitude"),
        *("coordinate_uncertainty_m", "sensitivity", "capture_method", "burst_gap_s", "event_gap_s"),
    ),
    "bursts": (
        *("burst_id", "status", "station", "camera", "trigger", "started_at", "ended_at", "frame_count"),
        *("category", "taxon", "label", "rank", "count", "confidence", "reviewed", "reviewer"),
        *(f"model_{name}" for name in ("category", "taxon", "label", "rank", "count", "confidence")),
        *("animal_probability", "certain", "subject", "deployment_id", "gap_s"),
    ),
    "burst_frames": (
        *("burst_id", "number", "image_id", "bucket", "key", "captured_at", "category", "deciding", "boxes"),
        *("rejection_reason", "rejection_message"),
    ),
    "burst_flags": ("burst_id", "flag", "source"),
    "burst_months": ("camera", "month", "category", "taxon", "status", "reviewed", "bursts"),
    "observations": (
        *("burst_id", "source", "number", "category", "taxon", "label", "rank", "count", "confidence", "certain"),
        *("observed_by", "observed_at", "boxes"),
    ),
    "cameras": ("camera", "station"),
}
"""The columns that a package holds."""

OPTIONS = ExportOptions(exact_positions=True, box_score=0.0)


def held(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of these columns."""
    found = {}
    with engine.begin() as connection:
        for name, columns in HELD.items():
            table = tables.METADATA.tables[name]
            rows = connection.execute(select(*(table.c[column] for column in columns)))
            found[name] = sorted((tuple(row) for row in rows), key=repr)
    return found


@contextmanager
def two_catalogues() -> Iterator[tuple[Engine, Engine, Path]]:
    """Two empty catalogues and a folder."""
    with TemporaryDirectory() as name:
        engines = [open_database(make_url(f"sqlite:///{name}/{each}.sqlite")) for each in ("one", "other")]
        for engine in engines:
            migrate(engine)
        yield engines[0], engines[1], Path(name)
        for engine in engines:
            engine.dispose()


def carry(one: Engine, other: Engine, folder: Path) -> None:
    """Export everything, and import it."""
    export_catalogue(one, ExportFormat.CAMTRAP_DP, folder / "package", options=OPTIONS)
    report = import_data(other, folder / "package", ImportOptions(bucket=BUCKET))
    assert report.problems == []


def test_a_second_export_of_an_imported_catalogue_has_the_same_observations() -> None:
    with two_catalogues() as (one, other, folder):
        fill_catalogue(one, ProjectEvents(120))
        carry(one, other, folder)
        export_catalogue(other, ExportFormat.CAMTRAP_DP, folder / "again", options=OPTIONS)
        for table in ("media", "observations"):
            first, second = (folder / name / f"{table}.csv" for name in ("package", "again"))
            assert first.read_bytes() == second.read_bytes()


def test_importing_twice_changes_nothing() -> None:
    with two_catalogues() as (one, other, folder):
        fill_catalogue(one, ProjectEvents(40))
        carry(one, other, folder)
        before = contents(other)
        import_data(other, folder / "package", ImportOptions(bucket=BUCKET))
        assert contents(other) == before


def test_importing_into_the_catalogue_it_came_from_changes_no_burst() -> None:
    with two_catalogues() as (one, _, folder):
        fill_catalogue(one, ProjectEvents(40))
        before = held(one)
        carry(one, one, folder)
        after = held(one)
        assert {name: after[name] for name in ("bursts", "burst_frames", "deployments")} == {
            name: before[name] for name in ("bursts", "burst_frames", "deployments")
        }


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Cf", "Cn", "Co", "Zl", "Zp")),
    min_size=1,
    max_size=8,
)
NAMES = TEXT.filter(lambda text: text.upper() not in ("NA", "N/A", "NAN", "NULL", "#N/A", "<NA>") and text.strip("-–—"))
WORDS = st.one_of(NAMES, st.sampled_from(["a|b", "50 %", "=1+1", 'say "no"', "a,b;c", "k:v", " x", "%7C"]))
SHARES = st.floats(0, 1)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(lambda at: at.replace(microsecond=0))
TAXA = (("Capra sibirica", "species"), ("Panthera uncia", "species"), ("Aves", "class"))


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x, y = draw(st.floats(0, 0.9)), draw(st.floats(0, 0.9))
    return x, y, draw(st.floats(0.01, 1 - x)), draw(st.floats(0.01, 1 - y))


@st.composite
def frames(draw: st.DrawFn, number: int, name: str, at: datetime) -> BurstFrame:
    image = f"img-{ids.digest(name, str(number))}"
    rejected = draw(st.booleans()) and draw(st.booleans())
    detected = not rejected and draw(st.booleans())
    found = [
        FrameBox(category=draw(st.sampled_from(DetectionCategory)), score=draw(SHARES), box=draw(boxes()), static=False)
        for _ in range(draw(st.integers(0, 3)) if detected else 0)
    ]
    stored = at.replace(tzinfo=UTC)
    return BurstFrame(
        image_id=image,
        upload_id=f"upl-{image}",
        key=draw(st.sampled_from(["a/b/{}.JPG", "=a/../{}", "ü ö/{}.png", "/{}"])).format(image),
        bucket=BUCKET,
        captured_at=at,
        uploaded_at=stored,
        predicted_at=stored + timedelta(seconds=5),
        deciding=number == 0 and draw(st.booleans()),
        rejection=Rejection(reason="image-truncated", message="it ends early") if rejected else None,
        category=draw(st.sampled_from(BurstCategory)) if detected else None,
        boxes=tuple(sorted(found, key=lambda each: -each.score)) if detected else None,
    )


@st.composite
def bursts(draw: st.DrawFn, number: int, camera: str) -> list[Event]:
    """A burst, and perhaps its review."""
    name = f"bst-{ids.digest(camera, str(number))}"
    # Bursts of a camera do not overlap.
    started = datetime(2026, 5, 1) + timedelta(hours=number, seconds=draw(st.integers(0, 900)))
    count = draw(st.integers(1, 3))
    times = [started + timedelta(seconds=each) for each in range(count)]
    own = tuple(draw(frames(each, name, at)) for each, at in enumerate(times))
    category = draw(st.one_of(st.none(), st.sampled_from(BurstCategory)))
    taxon = _taxon(draw) if category is BurstCategory.ANIMAL and draw(st.booleans()) else None
    probability = draw(SHARES) if category in (BurstCategory.ANIMAL, BurstCategory.BLANK) else None
    seen = None if category in (None, BurstCategory.BLANK) else draw(st.one_of(st.none(), st.integers(1, 40)))
    burst = BurstResolved(
        burst_id=name,
        revision=draw(st.integers(1, 5)),
        status=draw(st.sampled_from([BurstStatus.PROVISIONAL, BurstStatus.FINAL, BurstStatus.REVISED])),
        station=camera.partition("/")[0],
        camera=camera,
        trigger=draw(st.sampled_from([Trigger.MOTION, Trigger.TIME_LAPSE, Trigger.OTHER])),
        started_at=times[0],
        ended_at=times[-1],
        frames=own,
        category=category,
        animal_probability=probability,
        count=seen,
        verdict=taxon,
        taxa=(taxon,) if taxon else (),
        rule="log-odds/1",
        models=("species_classifier@1",) if category else (),
        settings="set-0",
        closed_at=draw(MOMENTS).replace(tzinfo=UTC) if category else None,
        flags=tuple(draw(st.lists(WORDS, max_size=2, unique=True))),
    )
    return [burst, *([_review(draw, burst)] if draw(st.booleans()) else [])]


def _taxon(draw: st.DrawFn) -> TaxonVerdict:
    taxon, rank = draw(st.sampled_from(TAXA))
    score = draw(SHARES)
    return TaxonVerdict(
        taxon=taxon,
        label=draw(WORDS.filter(lambda text: text != "animal")),
        group="animal",
        rank=rank,
        score=score,
        confidence=draw(st.one_of(st.none(), SHARES)),
        certain=draw(st.booleans()),
    )


def _review(draw: st.DrawFn, burst: BurstResolved) -> ObservationReviewed:
    decision = draw(st.sampled_from([ReviewDecision.BLANK, ReviewDecision.UNKNOWN, ReviewDecision.CORRECT]))
    seen = []
    for taxon, rank in draw(st.lists(st.sampled_from(TAXA), min_size=1, max_size=2, unique=True)):
        drawn = [
            ReviewedBox(image_id=frame.image_id, box=draw(boxes())) for frame in burst.frames if draw(st.booleans())
        ]
        seen.append(
            ReviewedObservation(
                category=BurstCategory.ANIMAL,
                taxon=taxon,
                label=draw(st.one_of(st.none(), WORDS)),
                rank=rank,
                count=draw(st.one_of(st.none(), st.integers(1, 9))),
                boxes=tuple(drawn),
            )
        )
    at, reviewer = draw(MOMENTS).replace(tzinfo=UTC), draw(NAMES)
    return ObservationReviewed(
        review_id=ids.review_id(burst.burst_id, reviewer, at, decision.value),
        burst_id=burst.burst_id,
        burst_revision=burst.revision,
        station=burst.station,
        camera=burst.camera,
        reviewer=reviewer,
        decision=decision,
        observations=tuple(seen) if decision is ReviewDecision.CORRECT else (),
        marks=tuple(draw(st.lists(WORDS, max_size=2, unique=True))) or None,
        reviewed_at=at,
    )


@st.composite
def projects(draw: st.DrawFn) -> list[Event]:
    """Deployments of a few cameras, one of which has no name within its station, and bursts of them."""
    events: list[Event] = []
    for camera in draw(
        st.lists(st.sampled_from(["ridge/cam-1", "ridge/cam 2", "Kök-Suu", "=x/y"]), min_size=1, unique=True)
    ):
        offset = draw(st.sampled_from([0, 345, -570]))
        events.append(
            DeploymentChanged(
                deployment_id=draw(st.sampled_from(["dep", "dep-1", "a|b"])),
                camera=camera,
                start=datetime(2026, 4, 1, 12, tzinfo=UTC),
                end=draw(st.sampled_from([None, datetime(2026, 7, 1, tzinfo=UTC)])),
                utc_offset_minutes=offset,
                latitude=draw(st.floats(-90, 90)),
                longitude=draw(st.floats(-180, 180)),
                coordinate_uncertainty_m=draw(st.sampled_from([None, 1, 25])),
                coordinate_sensitivity=draw(st.sampled_from(Sensitivity)),
                capture_method=draw(st.sampled_from([None, Trigger.MOTION])),
                burst_gap_s=draw(st.sampled_from([None, 30.5])),
            )
        )
        for number in range(draw(st.integers(0, 3))):
            events += draw(bursts(number, camera))
    return events


# A failing project is shown as it is: making it smaller would take minutes.
@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(projects())
def test_export_and_import_of_any_project_give_the_same_tables(events: list[Event]) -> None:
    with two_catalogues() as (one, other, folder):
        fill_catalogue(one, events)
        carry(one, other, folder)
        assert held(other) == held(one)
