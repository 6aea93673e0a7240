"""Any text: nothing raises, nothing out of range is read, and nothing takes long."""

import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.camtrap.status_documents import CheckedStatus
from uncia.producers.mailroom.camera_profiles import load_profiles
from uncia.producers.mailroom.status_reports import ReportText, StatusReport, read_status_report

PROFILES = load_profiles()

WORDS = st.sampled_from(
    [
        "battery",
        "batt",
        "Battery:",
        "signal",
        "CSQ:",
        "SD",
        "SD:",
        "card",
        "memory",
        "free",
        "used",
        "full",
        "temp",
        "temperature",
        "°C",
        "℃",
        "F",
        "V",
        "volts",
        "%",
        "/",
        "of",
        "dBm",
        "GB",
        "MB",
        "M",
        "photos:",
        "total",
        "Total:",
        "Date:",
        "GMT",
        "UTC+",
        "-",
        ",",
        ".",
        ":",
        "IMEI:",
        "SQ10,R1,G1,B3",
        "\n",
        "\t",
    ]
)
NUMBERS = st.integers(-(10**12), 10**12).map(str) | st.floats(allow_nan=False).map(str)
TEXTS = st.lists(WORDS | NUMBERS | st.text(max_size=6), max_size=40).map(" ".join) | st.text(max_size=400)


def read(text: str, subject: str = "") -> StatusReport | None:
    return read_status_report(ReportText(subject=subject, text=text), PROFILES)


@given(TEXTS, TEXTS, st.lists(TEXTS, max_size=3))
def test_any_report_is_read_without_an_error_and_its_values_fit_together(
    subject: str, text: str, names: list[str]
) -> None:
    found = read_status_report(ReportText("", subject, text, tuple(names)), PROFILES)
    if found is not None:
        stated = found.status.model_dump(exclude_none=True)
        assert stated
        assert CheckedStatus.model_validate(stated) == found.status


@pytest.mark.parametrize("percent", [0, 1, 50, 100])
def test_a_charge_in_the_range_is_read(percent: int) -> None:
    found = read(f"Battery: {percent}%")
    assert found is not None and found.status.battery_percent == percent


@pytest.mark.parametrize(
    "text",
    [
        "Battery: 101%",
        "Battery: 90 V",
        "Signal: -200 dBm",
        "Signal: 6/5",
        "Signal: 0/0",
        "Temperature: 91 C",
        "Temperature: -300 F",
        "SD card 140% full",
        "",
    ],
)
def test_what_is_out_of_range_is_left_out(text: str) -> None:
    assert read(text) is None
    found = read(f"{text}\nBatt: 7%")
    assert found is not None and found.status.model_dump(exclude_none=True) == {"battery_percent": 7}


def test_the_first_valid_statement_of_a_quantity_counts() -> None:
    found = read("Battery: 180%\nBattery: 80%\nBattery: 70%")
    assert found is not None and found.status.battery_percent == 80


def test_a_camera_whose_clock_was_never_set_states_no_time() -> None:
    found = read("Battery: 80%\n1970-01-01 00:00:07")
    assert found is not None and found.camera_time is None
    found = read("Battery: 80%\n2026-02-30 00:00:07\n2026-02-28 00:00:07")
    assert found is not None and found.camera_time == datetime(2026, 2, 28, 0, 0, 7)


@pytest.mark.parametrize(
    ("text", "minutes"), [("GMT+8", 480), ("UTC -05:30", -330), ("UTC+1400", 840), ("GMT+15", None), ("GMT-13", None)]
)
def test_a_zone_is_read_where_it_exists(text: str, minutes: int | None) -> None:
    found = read(f"Battery: 80% {text}")
    assert found is not None and found.utc_offset_minutes == minutes


@pytest.mark.parametrize(
    "line", ["battery ", "1", " ", "signal -", "card 1.", "temp\n", "\n", "SD:1M/", "9" * 500 + "\n"]
)
def test_a_megabyte_takes_no_longer_than_the_part_that_is_read(line: str) -> None:
    text = line * (1_000_000 // len(line))
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 1


def test_what_stands_far_below_is_not_looked_for() -> None:
    assert read("\n" * 200 + "Battery: 80%") is None
    assert read("x" * 300 + " Battery: 80%") is None
