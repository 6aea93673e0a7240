"""What a deployment says of a time and of a place."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from uncia.events import DeploymentChanged, FormerSensitivity, Sensitivity, deployment_key, former_word

NEPAL = timezone(timedelta(hours=5, minutes=45))


def deployment(**fields: Any) -> DeploymentChanged:
    return DeploymentChanged(
        **{
            "deployment_id": "d1",
            "camera": "ridge/north",
            "start": datetime(2026, 3, 1, 9, tzinfo=NEPAL),
            "end": datetime(2026, 6, 1, 9, tzinfo=NEPAL),
            "utc_offset_minutes": 345,
            "latitude": 28.21347,
            "longitude": 83.98712,
            **fields,
        }
    )


def test_a_time_without_offset_is_read_on_the_cameras_clock() -> None:
    assert deployment().covers(datetime(2026, 3, 1, 9))
    assert not deployment().covers(datetime(2026, 3, 1, 8, 59))


def test_a_time_with_offset_is_a_moment() -> None:
    assert deployment().covers(datetime(2026, 3, 1, 3, 15, tzinfo=UTC))
    assert not deployment().covers(datetime(2026, 3, 1, 3, 14, tzinfo=UTC))


def test_the_end_is_no_longer_part_of_it() -> None:
    assert not deployment().covers(datetime(2026, 6, 1, 9))


def test_without_an_end_it_still_stands() -> None:
    assert deployment(end=None).covers(datetime(2070, 1, 1))


@pytest.mark.parametrize(
    ("former", "level"), [("none", "none"), ("low", "medium"), ("medium", "high"), ("high", "extreme")]
)
def test_a_word_of_before_keeps_its_meaning(former: str, level: str) -> None:
    assert deployment(sensitivity=former).level is Sensitivity(level)


@pytest.mark.parametrize("level", Sensitivity)
def test_a_level_is_written_with_a_former_word_that_is_at_least_as_coarse(level: Sensitivity) -> None:
    written = DeploymentChanged.from_bytes(deployment(coordinate_sensitivity=level).to_bytes())
    assert written.level is level
    order = list(Sensitivity)
    assert order.index(written.sensitivity.level) >= order.index(level)


@pytest.mark.parametrize("former", FormerSensitivity)
@pytest.mark.parametrize("level", Sensitivity)
def test_the_stricter_of_two_fields_applies(former: FormerSensitivity, level: Sensitivity) -> None:
    order = list(Sensitivity)
    effective = deployment(sensitivity=former, coordinate_sensitivity=level).level
    assert order.index(effective) >= order.index(level)
    if former_word(level) is not former:
        assert order.index(effective) >= order.index(former.level)


def test_a_position_is_withheld_by_default() -> None:
    assert deployment().level is Sensitivity.EXTREME


def test_its_text_does_not_show_the_position() -> None:
    assert "28.2" not in repr(deployment())
    assert "83.9" not in f"{deployment()}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": datetime(2026, 3, 1)},
        {"end": datetime(2026, 1, 1, tzinfo=UTC)},
        {"latitude": 90.1},
        {"longitude": float("nan")},
        {"burst_gap_s": 0},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        deployment(**wrong)


texts = st.text(alphabet="ab|%/", min_size=1, max_size=5)


@given(texts, texts, texts, texts)
def test_two_deployments_never_share_a_key(camera: str, name: str, camera_2: str, name_2: str) -> None:
    same = (camera, name) == (camera_2, name_2)
    assert (deployment_key(camera, name) == deployment_key(camera_2, name_2)) is same
