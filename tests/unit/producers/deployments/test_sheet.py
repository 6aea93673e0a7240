"""Rows of a `deployments.csv` are parsed into deployments or reported with a reason."""

import contextlib
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.paths import SHARED
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged, Sensitivity, Trigger
from uncia.producers.deployments.rows import ColumnNames, RowDefaults
from uncia.producers.deployments.sheet import DeploymentSheet, check_overlaps_with, read_sheet

SAMPLE = SHARED / "samples" / "camtrap_dp_example" / "deployments.csv"

GOOD = {
    "deploymentID": "d1",
    "locationID": "ridge",
    "cameraID": "north",
    "latitude": "28.21",
    "longitude": "83.98",
    "deploymentStart": "2026-03-01T09:00:00+05:45",
    "deploymentEnd": "2026-06-01T09:00:00+05:45",
}


def sheet(
    *rows: dict[str, str], columns: ColumnNames | None = None, defaults: RowDefaults | None = None
) -> DeploymentSheet:
    """Reads a table whose rows are GOOD except for the given cells."""
    full = [{**GOOD, **row} for row in rows]
    header = list(dict.fromkeys(name for row in full for name in row))
    lines = [",".join(header), *(",".join(row.get(name, "") for name in header) for row in full)]
    return read_sheet("\n".join(lines).encode(), columns or ColumnNames(), defaults or RowDefaults())


def only(read: DeploymentSheet) -> DeploymentChanged:
    assert read.problems == []
    (deployment,) = read.deployments.values()
    return deployment


def sentences(read: DeploymentSheet) -> list[tuple[int, str]]:
    return [(problem.line, problem.sentence) for problem in read.problems]


def test_a_row_is_parsed_into_a_deployment() -> None:
    deployment = only(sheet({"coordinateUncertainty": "12"}))
    assert (deployment.camera, deployment.deployment_id) == ("ridge/north", "d1")
    assert deployment.start.isoformat() == "2026-03-01T09:00:00+05:45"
    assert (deployment.latitude, deployment.longitude) == (28.21, 83.98)
    assert deployment.coordinate_uncertainty_m == 12


@pytest.mark.parametrize(
    ("row", "camera"),
    [
        ({"locationID": "", "locationName": "The ridge"}, "The ridge/north"),
        ({"cameraID": ""}, "ridge/d1"),
    ],
)
def test_an_empty_id_is_taken_from_the_next_column(row: dict[str, str], camera: str) -> None:
    assert only(sheet(row)).camera == camera


def test_other_columns_can_be_chosen() -> None:
    row = {"site": "pass", "unit": "7"}
    assert only(sheet(row, columns=ColumnNames(("site",), ("unit",)))).camera == "pass/7"


def test_the_clock_is_in_the_zone_of_the_start() -> None:
    # The end is in summer time; the camera does not know.
    read = sheet({"deploymentStart": "2026-03-01T09:00:00+01:00", "deploymentEnd": "2026-06-01T09:00:00+02:00"})
    assert only(read).utc_offset_minutes == 60


def test_the_zone_of_the_clock_can_be_set_for_a_row_or_for_all() -> None:
    utc = {"deploymentStart": "2026-03-01T03:15:00Z", "deploymentEnd": ""}
    assert only(sheet({**utc, "utcOffset": "+05:45"})).utc_offset_minutes == 345
    assert only(sheet(utc, defaults=RowDefaults(utc_offset_minutes=-180))).utc_offset_minutes == -180


def test_positions_are_withheld_by_default() -> None:
    assert only(sheet({})).level is Sensitivity.EXTREME
    assert only(sheet({"coordinateSensitivity": "low"})).level is Sensitivity.LOW
    assert only(sheet({"sensitivity": "low"})).level is Sensitivity.MEDIUM
    assert only(sheet({"sensitivity": "low", "coordinateSensitivity": "high"})).level is Sensitivity.HIGH
    assert only(sheet({"sensitivity": "high", "coordinateSensitivity": "low"})).level is Sensitivity.EXTREME


def test_further_columns_override_settings_for_one_camera() -> None:
    deployment = only(sheet({"burstGap": "30", "independenceGap": "1800", "captureMethod": "timeLapse"}))
    assert (deployment.burst_gap_s, deployment.burst_idle_s) == (30, None)
    assert deployment.independence_gap_s == 1800
    assert deployment.capture_method is Trigger.TIME_LAPSE
    assert only(sheet({"contactInterval": "86400"})).contact_interval_s == 86_400


def test_an_open_deployment_has_no_end() -> None:
    assert only(sheet({"deploymentEnd": ""})).end is None


def test_unknown_columns_and_empty_lines_are_ignored() -> None:
    raw = (",".join(GOOD) + ",habitat\r\n\r\n" + ",".join(GOOD.values()) + ',"grass,\nreed"\r\n,,,,\r\n').encode()
    assert only(read_sheet(b"\xef\xbb\xbf" + raw, ColumnNames(), RowDefaults())).camera == "ridge/north"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"deploymentStart": "2026-03-01T09:00:00"}, "lacks its offset from UTC"),
        ({"deploymentEnd": "2026-06-01"}, "lacks its offset from UTC"),
        ({"deploymentStart": "1st of March"}, "is not a timestamp"),
        ({"deploymentStart": ""}, "deploymentStart is empty"),
        ({"deploymentEnd": "2026-02-01T09:00:00+05:45"}, "ends before it starts"),
        ({"latitude": "90.01"}, "latitude is out of range: it must be between -90 and 90"),
        ({"longitude": "-181"}, "longitude is out of range: it must be between -180 and 180"),
        ({"latitude": "nan"}, "latitude is empty"),
        ({"latitude": "inf"}, "latitude is out of range"),
        ({"longitude": "83°59'"}, "longitude is not a number"),
        ({"latitude": ""}, "latitude is empty"),
        ({"deploymentID": "", "cameraID": "x"}, "deploymentID is empty"),
        ({"locationID": "a/b"}, "contains a slash"),
        ({"locationID": ""}, "the station has no name"),
        ({"sensitivity": "very"}, "is not one of none, low, medium, high"),
        ({"captureMethod": "sound"}, "is not one of activityDetection, timeLapse"),
        ({"burstGap": "0"}, "burstGap is out of range: it must be above 0"),
        ({"utcOffset": "5"}, "write it like +05:45"),
        ({"utcOffset": "+15:00"}, "write it like +05:45"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_invalid_row_is_reported_with_line_and_reason(row: dict[str, str], sentence: str) -> None:
    read = sheet({"deploymentID": "fine", "cameraID": "other"}, row)
    assert [line for line, _ in sentences(read)] == [3]
    assert sentence in sentences(read)[0][1]
    assert [item.deployment_id for item in read.deployments.values()] == ["fine"]


def test_all_errors_of_a_row_are_reported_at_once() -> None:
    assert len(sheet({"latitude": "91", "deploymentStart": "2026-03-01", "burstGap": "x"}).problems) == 3


def test_no_message_reveals_a_position() -> None:
    read = sheet({"latitude": "128.21347"}, {"longitude": "83,98712"}, {"latitude": "N 28.21347"})
    assert all("28.21" not in text and "98712" not in text for _, text in sentences(read))


def test_both_overlapping_deployments_are_reported() -> None:
    read = sheet({"deploymentID": "a"}, {"deploymentID": "b", "deploymentStart": "2026-05-31T09:00:00+05:45"})
    assert [line for line, _ in sentences(read)] == [2, 3]
    assert read.deployments == {}


@pytest.mark.parametrize(
    ("end", "start", "overlap"),
    [
        ("2026-04-01T09:00:00+05:45", "2026-04-01T09:00:00+05:45", False),
        ("2026-04-01T09:00:00+05:45", "2026-04-01T03:14:59Z", True),
        ("", "2026-05-01T09:00:00+05:45", True),
    ],
    ids=["one begins as the other ends", "offsets are considered", "one never ended"],
)
def test_when_deployments_overlap(end: str, start: str, overlap: bool) -> None:
    read = sheet(
        {"deploymentID": "a", "deploymentEnd": end},
        {"deploymentID": "b", "deploymentStart": start},
    )
    assert bool(read.problems) is overlap


def test_two_cameras_may_be_deployed_at_the_same_time() -> None:
    assert sheet({"deploymentID": "a"}, {"deploymentID": "b", "cameraID": "south"}).problems == []


def test_a_deployment_id_is_unique_in_a_file() -> None:
    read = sheet({}, {"cameraID": "south"})
    assert sentences(read) == [(3, "its deploymentID is also in line 2")]


def loaded(*rows: dict[str, str]) -> Iterable[DeploymentChanged]:
    return sheet(*rows).deployments.values()


def test_a_loaded_deployment_may_not_be_overlapped() -> None:
    read = sheet({"deploymentID": "new"})
    check_overlaps_with(read, loaded({"deploymentID": "old"}))
    assert [line for line, _ in sentences(read)] == [2]
    assert "'old'" in sentences(read)[0][1]


def test_a_deployment_that_is_loaded_again_replaces_itself() -> None:
    read = sheet({"deploymentEnd": "2026-07-01T09:00:00+05:45"})
    check_overlaps_with(read, loaded({}))
    assert read.problems == []


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "lacks deploymentID"),
        (b"deploymentID,latitude\n", "lacks longitude, deploymentStart"),
        (b"deploymentID;latitude;longitude\n", "lacks deploymentStart"),
        (b"caf\xe9\n", "line 1 is not UTF-8"),
        (b'a,"b\n', "is not CSV"),
        (b"\xff\xd8\xff\xe0 a photograph", "not UTF-8"),
        (",".join([*GOOD, "latitude"]).encode(), "more than once"),
    ],
    ids=repr,
)
def test_other_tables_are_refused_with_a_reason(raw: bytes, sentence: str) -> None:
    with pytest.raises(UnciaError, match=sentence):
        read_sheet(raw, ColumnNames(), RowDefaults())


@pytest.mark.parametrize("nothing", ["NA", "N/A", "NaN", "NULL", "-", " NA ", "#N/A"])
def test_placeholders_count_as_empty(nothing: str) -> None:
    row = {"cameraID": nothing, "deploymentEnd": nothing, "coordinateUncertainty": nothing, "utcOffset": nothing}
    deployment = only(sheet(row))
    assert (deployment.camera, deployment.end, deployment.coordinate_uncertainty_m) == ("ridge/d1", None, None)
    ((_, sentence),) = sentences(sheet({"locationID": nothing}))
    assert sentence == (
        f"the station has no name: locationID and locationName are empty or absent ({nothing.strip()} counts as empty)"
    )


def test_names_that_resemble_placeholders_are_names() -> None:
    assert only(sheet({"locationID": "Na", "cameraID": "NA-1"})).camera == "Na/NA-1"


def test_a_position_of_two_zeros_is_refused_and_one_zero_is_not() -> None:
    for zeros in ({"latitude": "0", "longitude": "0.000"}, {"latitude": "-0", "longitude": "0"}):
        ((line, sentence),) = sentences(sheet(zeros))
        assert line == 2
        assert "both 0" in sentence
    assert only(sheet({"latitude": "0"})).latitude == 0


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"latitude": "128.5", "longitude": "36.1"}, "latitude is out of range: it must be between -90 and 90; are"),
        ({"latitude": "540123", "longitude": "36.1"}, "coordinates of a projection such as UTM"),
    ],
)
def test_an_invalid_position_gives_a_hint(row: dict[str, str], sentence: str) -> None:
    ((_, found),) = sentences(sheet(row))
    assert sentence in found


def test_a_position_with_exchanged_coordinates_is_reported() -> None:
    rows = [{"deploymentID": f"d{n}", "cameraID": f"c{n}", "latitude": f"28.{n}"} for n in range(4)]
    read = sheet(*rows, {"deploymentID": "x", "cameraID": "x", "latitude": "83.98", "longitude": "28.21"})
    ((line, sentence),) = sentences(read)
    assert (line, "exchanged" in sentence, "28" in sentence) == (6, True, False)


def test_semicolons_tabs_and_decimal_commas_are_read() -> None:
    for separator, first in ((";", ""), ("\t", ""), (";", "sep=;\r\n"), ("|", "sep=|\n")):
        cells = {**GOOD, "latitude": "28,21", "longitude": "83,98", "coordinateUncertainty": "12,5"}
        raw = f"{first}{separator.join(cells)}\r\n{separator.join(cells.values())}\r\n"
        deployment = only(read_sheet(raw.encode(), ColumnNames(), RowDefaults()))
        assert (deployment.latitude, deployment.longitude, deployment.coordinate_uncertainty_m) == (28.21, 83.98, 12.5)


def test_a_quoted_decimal_comma_is_accepted_in_degrees_only() -> None:
    assert only(sheet({"latitude": '"28,21"'})).latitude == 28.21
    ((_, sentence),) = sentences(sheet({"coordinateUncertainty": '"1,234"'}))
    assert "the decimal separator is a point" in sentence


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_in_self_describing_encodings(encoding: str) -> None:
    raw = "\n".join([",".join(GOOD), ",".join({**GOOD, "locationID": "Höhe"}.values())]).encode(encoding)
    assert only(read_sheet(raw, ColumnNames(), RowDefaults())).camera == "Höhe/north"


@pytest.mark.parametrize(
    ("encoding", "sentence"), [("cp1252", "Windows-1252"), ("mac-roman", "Windows-1252"), ("utf-16-le", "zero bytes")]
)
def test_a_table_in_an_ambiguous_encoding_is_refused(encoding: str, sentence: str) -> None:
    raw = "\n".join([",".join(GOOD), ",".join({**GOOD, "locationID": "Höhe"}.values())]).encode(encoding)
    with pytest.raises(UnciaError, match=sentence):
        read_sheet(raw, ColumnNames(), RowDefaults())


def test_a_table_of_another_program_is_recognised() -> None:
    raw = b"project_id,deployment_id,placename,longitude,latitude,start_date,end_date\n"
    with pytest.raises(UnciaError, match="Wildlife Insights"):
        read_sheet(raw, ColumnNames(), RowDefaults())


CELLS = st.sampled_from(
    ["", "NA", "28.2", "83,9", "0", "2026-03-01T09:00:00+05:45", "ridge", "\x00", '"', ";", "9" * 400]
)


@settings(max_examples=200)
@given(st.lists(st.lists(CELLS | st.text(max_size=5), max_size=9), max_size=5), st.sampled_from(",;\t"))
def test_arbitrary_cells_are_accepted(lines: list[list[str]], separator: str) -> None:
    rows = [separator.join(GOOD), *(separator.join(cells) for cells in lines)]
    with contextlib.suppress(UnciaError):
        read_sheet("\n".join(rows).encode("utf-8", "surrogatepass"), ColumnNames(), RowDefaults())


@settings(max_examples=200)
@given(st.binary(max_size=400), st.sampled_from([b"", b"\xff\xfe", b"\xef\xbb\xbf", b"sep=;\n"]))
def test_arbitrary_bytes_are_accepted(raw: bytes, mark: bytes) -> None:
    with contextlib.suppress(UnciaError):
        read_sheet(mark + raw, ColumnNames(), RowDefaults())


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample data package is not next to the repository")
def test_a_published_data_package_is_read_completely() -> None:
    read = read_sheet(SAMPLE.read_bytes(), ColumnNames(), RowDefaults())
    assert read.problems == []
    assert {item.camera: item.utc_offset_minutes for item in read.deployments.values()} == {
        "e254a13c/320": 120,
        "2df5259b/250": 120,
        "ff1535c0/303": 120,
        "ce943ced/315": 60,
    }
