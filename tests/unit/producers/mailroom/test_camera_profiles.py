"""The camera profiles that come with Uncia, by their examples; and what is wrong with a profile of a user."""

import re
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT
from uncia.errors import SettingsError
from uncia.producers.mailroom.camera_profiles import (
    BUILT_IN,
    CameraProfile,
    Example,
    Quantity,
    load_profile,
    load_profiles,
)
from uncia.producers.mailroom.mail_text import read_mail_text
from uncia.producers.mailroom.status_reports import ReportText, StatusReport, read_status_report

PROFILES = load_profiles()
EXAMPLES = [
    pytest.param(profile, example, id=f"{profile.name}-{number}")
    for profile in PROFILES
    for number, example in enumerate(profile.example)
]


def report_of(example: Example) -> ReportText:
    return ReportText(
        example.sender,
        example.subject,
        example.text,
        tuple(filter(None, [example.file_name])),
        tuple(filter(None, [example.make])),
    )


def values(found: StatusReport | None) -> dict[str, Any]:
    if found is None:
        return {}
    others = {"camera_time": found.camera_time, "utc_offset_minutes": found.utc_offset_minutes}
    return {
        **found.status.model_dump(exclude_none=True),
        **{name: value for name, value in others.items() if value is not None},
    }


@pytest.mark.parametrize(("profile", "example"), EXAMPLES)
def test_an_example_is_read_as_the_profile_says(profile: CameraProfile, example: Example) -> None:
    found = read_status_report(report_of(example), PROFILES)
    assert values(found) == example.expected
    assert found is None or found.profile == profile.name


def test_the_table_of_a_cuddeback_mail_is_read_row_by_row() -> None:
    row = "<tr class='cl-entry'><td>{}</td><td>7/{}/2026</td><td>OK</td><td>140</td><td>{}</td><td>28 GB</td></tr>"
    table = f"<tr><td colspan='14'>Camera: NAME</td></tr>{row.format(1, 23, 928)}{row.format(2, 22, 920)}"
    message = EmailMessage()
    message["From"] = "CuddeLink <noreply@reports.cuddelink.com>"
    message.set_content(f"<div><style>td {{ color: #000000 }}</style><table>{table}</table></div>", subtype="html")
    mail = read_mail_text(message)
    found = read_status_report(ReportText(mail.sender, mail.subject, mail.text), PROFILES)
    assert found is not None
    assert (found.profile, values(found)) == ("cuddeback", {"photographs": 928, "card_free_mb": 28 * 1024})


def test_the_generic_profile_is_tried_last() -> None:
    assert [profile.name for profile in PROFILES][-1] == "generic"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_no_pattern_takes_long_on_the_longest_line(profile: CameraProfile) -> None:
    recognised = [pattern for _, pattern in profile.recognise if isinstance(pattern, re.Pattern)]
    lines = [
        (start + filler * 200)[:200]
        for start in ("", "battery ", "signal ", "card ", "temp ", "CSQ:", "SQ1", "free ", "photos ", "GMT+", "Date:")
        for filler in ("1", " ", "1 ", "- ", "battery ", "a", "card 1 ", ".,", "1/", "temp-")
    ]
    began = time.process_time()
    for pattern in (*recognised, *(reading.pattern for reading in profile.readings)):
        for line in lines:
            pattern.search(line)
    # About 30 patterns on 110 lines; a catastrophic one would take hours.
    assert time.process_time() - began < 2


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


OWN = """
maker = "Ours"
source = "our samples"
[recognise]
sender = 'cams\\.example$'
[[read]]
field = "battery_percent"
in = "file-name"
pattern = '_B([0-9]+)_'
[[example]]
sender = "cams.example"
file_name = "IMG_B77_.jpg"
expected = { battery_percent = 77 }
"""


def test_a_profile_of_a_user_goes_before_those_of_uncia(tmp_path: Path) -> None:
    write(tmp_path, "ours", OWN)
    (profile, *_) = profiles = load_profiles(tmp_path)
    found = read_status_report(report_of(profile.example[0]), profiles)
    assert found is not None and (found.profile, found.status.battery_percent) == ("ours", 77)
    assert read_status_report(ReportText("other.example", file_names=("IMG_B77_.jpg",)), profiles) is None


def test_the_profile_on_the_page_is_read_as_its_example_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "mailroom.md").read_text(encoding="utf-8")
    section = page.partition("### A profile of your own")[2].partition("\n## ")[0]
    write(tmp_path, "acme", "\n".join(line[4:] for line in section.splitlines() if line.startswith("    ")))
    (profile, *_) = profiles = load_profiles(tmp_path)
    (example,) = profile.example
    assert values(read_status_report(report_of(example), profiles)) == example.expected
    missing = {quantity.value for quantity in Quantity if f"`{quantity.value}`" not in section}
    assert all(name.endswith("_gb") for name in missing)


def test_a_profile_of_a_user_replaces_the_one_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, "willfine", OWN)
    assert len(load_profiles(tmp_path)) == len(PROFILES)
    assert next(one for one in load_profiles(tmp_path) if one.name == "willfine").maker == "Ours"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('source = "our samples"', 'source = "our samples"\ncolour = "green"', "colour: Extra inputs"),
        ("sender =", "senders =", "recognise.senders: Extra inputs"),
        ('field = "battery_percent"', 'field = "battery"', "read.0.field"),
        ("_B([0-9]+)_", "_B([0-9]+_", "read.0.pattern: Value error, no regular expression"),
        ("_B([0-9]+)_", "_B[0-9]+_", "read.0: Value error, the pattern has 0 groups in parentheses, and needs 1"),
        ('in = "file-name"', 'in = "file-name"\nof = 5', "read.0: Value error, `of` is the scale of bars"),
        ('in = "file-name"', 'format = "%Y"', "read.0: Value error, `camera_time` needs a `format`"),
        ("[[example]]", "[[examples]]", "example: Field required"),
        ("maker =", "maker", "cannot read the camera profile"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_file_and_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in OWN
    path = write(tmp_path, "ours", OWN.replace(old, new))
    with pytest.raises(SettingsError) as refused:
        load_profiles(tmp_path)
    assert str(path) in str(refused.value) and key in str(refused.value)


def test_a_profile_that_reads_nothing_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "ours", OWN.partition("[[read]]")[0] + "[[example]]\nexpected = {}\n")
    with pytest.raises(SettingsError, match="it reads nothing"):
        load_profile(path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="UNCIA_MAILROOM_PROFILES"):
        load_profiles(tmp_path / "none")


def test_every_profile_names_its_source() -> None:
    assert all(load_profile(path).source for path in BUILT_IN.glob("*.toml"))
