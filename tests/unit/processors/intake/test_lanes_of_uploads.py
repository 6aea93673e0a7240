"""Intake decides the lane of each upload once, and writes it into the event."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.stack.photographs import photograph
from tests.unit.processors.intake.filer_events import entry, event, uploads_of
from tests.unit.uncia.storage.servers import serving
from tests.unit.uncia.storage.test_reading_objects import Shop
from uncia.events import Lane
from uncia.processors.intake.client_metadata import file_time
from uncia.processors.intake.worker import Intake
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

UPLOADED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OLD = "20251203T040000-0123456789abcdef.jpg"
NEW = "20260102T030000-0123456789abcdef.jpg"


def lane(intake: Intake, name: str, **metadata: str) -> Lane:
    headers = {f"X-Amz-Meta-{key.replace('_', '-').title()}": value for key, value in metadata.items()}
    raw = event(new=entry(name, s3_etag="00", mtime=int(UPLOADED_AT.timestamp()), metadata=headers))
    announced, problem = uploads_of(intake, raw, b"/buckets/camera-uploads/ridge/cam-1/x")
    assert problem is None
    return announced[0].lane


def test_a_photograph_of_last_month_is_backfill(intake: Intake) -> None:
    assert lane(intake, OLD) is Lane.BACKFILL


def test_a_photograph_of_this_hour_is_live(intake: Intake) -> None:
    assert lane(intake, NEW) is Lane.LIVE


def test_a_photograph_of_unknown_age_is_live(intake: Intake) -> None:
    assert lane(intake, "IMG_0001.JPG") is Lane.LIVE


def test_the_requested_lane_decides(intake: Intake) -> None:
    assert lane(intake, OLD, uncia_lane="live") is Lane.LIVE
    assert lane(intake, NEW, uncia_lane="backfill") is Lane.BACKFILL


def test_the_time_of_the_file_that_rclone_and_s3cmd_store_decides_without_a_time_in_the_name(intake: Intake) -> None:
    old, new = (f"{(UPLOADED_AT - timedelta(days=age)).timestamp():.6f}" for age in (30, 0))
    assert lane(intake, "IMG_0001.JPG", mtime=old) is Lane.BACKFILL
    assert lane(intake, "IMG_0001.JPG", mtime=new) is Lane.LIVE
    attributes = f"atime:1/ctime:2/gname:root/md5:00/mode:33188/mtime:{old.partition('.')[0]}/uid:0"
    assert lane(intake, "IMG_0001.JPG", s3cmd_attrs=attributes) is Lane.BACKFILL


@pytest.mark.parametrize("value", ["", "x", "-5", "1e400", "nan", "9" * 13, "1.2.3"])
def test_a_file_time_that_is_none_does_not_count(value: str) -> None:
    assert file_time({"mtime": value}) is None
    assert file_time({"s3cmd-attrs": f"a/mtime:{value}/:"}) is None


@pytest.mark.parametrize(
    ("taken", "name", "status", "expected"),
    [
        ("2025:12:03 04:00:00", "IMG_0001.JPG", 206, Lane.BACKFILL),
        ("2026:01:02 03:00:00", "IMG_0001.JPG", 206, Lane.LIVE),
        ("2000:01:01 00:00:09", "IMG_0001.JPG", 206, Lane.LIVE),
        (None, "IMG_0001.JPG", 206, Lane.LIVE),
        ("2025:12:03 04:00:00", "IMG_0001.JPG", 404, Lane.LIVE),
        ("2025:12:03 04:00:00", "IMG_0001.txt", 206, Lane.LIVE),
        ("2026:01:02 03:00:00", OLD, 206, Lane.BACKFILL),
    ],
)
def test_with_the_setting_the_time_in_the_photograph_decides_where_nothing_else_does(
    taken: str | None, name: str, status: int, expected: Lane
) -> None:
    with serving(Shop()) as shop:
        shop.say((status, photograph(1, taken)[: 1 << 16], 0))
        settings = Settings(
            _env_file=None,
            s3_endpoint=f"http://127.0.0.1:{shop.server_port}",
            s3_access_key="a",
            s3_secret_key="b",
            backfill_by_exif=True,
        )
        store = ObjectStore(settings, attempts=1)
        assert lane(Intake(settings, store), name) is expected
        assert len(shop.keys) == (name == "IMG_0001.JPG")
        store.close()
