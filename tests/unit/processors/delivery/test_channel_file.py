"""The file of channels: what it may contain, and where a mistake is."""

from pathlib import Path

import pytest

from tests.unit.processors.delivery.examples import secret_file
from uncia.errors import SettingsError
from uncia.events import AlertState, Severity
from uncia.processors.delivery.channel_file import ChannelFile, parse_channels, read_channels
from uncia.processors.delivery.channels import ChannelType, PositionDetail, Rate
from uncia.processors.delivery.quiet_hours import QuietHours
from uncia.processors.yaml_positions import FileMistakes

HOOK = "channels:\n  - name: hook\n    type: webhook\n    address: https://example.org/x\n    secret_file: secret\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    secret_file(tmp_path)
    return tmp_path


def parse(text: str, folder: Path) -> ChannelFile:
    return parse_channels(text, "channels.yaml", folder)


def mistakes(text: str, folder: Path) -> list[str]:
    with pytest.raises(FileMistakes) as caught:
        parse(text, folder)
    return [str(one) for one in caught.value.mistakes]


def test_every_field_is_read(folder: Path) -> None:
    text = HOOK + (
        "    trusted: true\n    position: exact\n    default: yes\n    minimum_severity: critical\n"
        '    stations: [ridge, "valley-*"]\n    states: [raised, withdrawn]\n'
        "    rate: 5/10m\n    tries: 7\n    timeout: 30s\n"
        '    quiet: {from: "22:00", until: 6:30, zone: Asia/Bishkek, except: critical}\n'
    )
    (one,) = parse(text, folder).channels
    assert (one.type, one.secret_file) == (ChannelType.WEBHOOK, folder / "secret")
    assert one.position is PositionDetail.EXACT and one.trusted and one.default
    assert one.minimum_severity is Severity.CRITICAL
    assert one.states == {AlertState.RAISED, AlertState.WITHDRAWN}
    assert (one.rate, one.tries, one.timeout_s) == (Rate(5, 600), 7, 30)
    assert one.quiet == QuietHours(22 * 60, 6 * 60 + 30, "Asia/Bishkek", Severity.CRITICAL)


def test_the_examples_of_the_page_are_valid(folder: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "delivery.md").read_text(encoding="utf-8")
    for name in ("control-room", "mail", "mqtt", "earthranger", "gundi", "telegram"):
        (folder / f"{name}.secret").write_text("x", encoding="utf-8")
    found = set()
    for block in page.split("\n\n"):
        if block.lstrip().startswith("- name:") and block.startswith("    "):
            (one,) = parse("channels:\n" + block, folder).channels
            found.add(one.type)
    assert found == set(ChannelType)


def test_pictures_are_off_until_they_are_switched_on(folder: Path) -> None:
    fields = "name: e, type: earthranger, address: 'https://a.example', secret_file: secret, event_type: a"
    text = f"channels:\n  - {{{fields}%s}}\n"
    assert [parse(text % more, folder).channels[0].picture for more in ("", ", picture: true")] == [False, True]
    assert mistakes(text % ", picture: best", folder)[0].endswith("use true or false")


def test_gundi_has_its_address_and_rate(folder: Path) -> None:
    text = "channels:\n  - {name: g, type: gundi, secret_file: secret, event_type: a, trusted: true, position: exact}\n"
    (one,) = parse(text, folder).channels
    assert one.address.startswith("https://sensors.api.gundi")
    assert one.rate == Rate(1, 60)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("    trusted: perhaps\n", "line 6, column 14: use true or false"),
        ("    position: exact\n", "line 6, column 15: only a channel with `trusted: true` gets a position"),
        ("    rate: often\n", "line 6, column 11: a rate is a number of messages and a time"),
        ("    picture: true\n", "line 6, column 14: a channel of the type webhook has no `picture`"),
        ("    recipients: [a@example.org]\n", "line 6, column 17: a channel of the type webhook has no `recipients`"),
        ("    quiet: {from: 22:00, until: 6:00}\n", "line 6, column 12: `quiet` needs `zone`"),
        ("    quiet: {from: 22:00, until: 24:00, zone: UTC}\n", "line 6, column 33: a time of the day is expected"),
        ("    quiet: {from: 6:00, until: 06:00, zone: UTC}\n", "line 6, column 32: the two times are the same"),
        ("    quiet: {from: 22:00, until: 6:00, zone: ../UTC}\n", "line 6, column 45: no such time zone"),
        ("    quiet: {from: 22:00, until: 6:00, zone: UTC, except: loud}\n", "line 6, column 58: use one of info"),
        ("    timeout: 1h\n", "line 6, column 14: a limit from 1s to 5m is expected"),
        ("    secret: abc\n", "line 6, column 5: a channel has no 'secret': did you mean 'secret_file'?"),
    ],
)
def test_a_mistake_is_named_with_its_place(folder: Path, change: str, expected: str) -> None:
    (found,) = mistakes(HOOK + change, folder)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://example.org/", "use https"),
        ("https://user:pw@example.org/", "must not contain a password"),
        ("ftp://example.org/", "not a URL"),
        ("https://example.org:x/", "not a URL"),
        ("example.org", "not a URL"),
    ],
)
def test_an_address_must_be_encrypted_and_without_a_password(folder: Path, address: str, expected: str) -> None:
    (found,) = mistakes(HOOK.replace("https://example.org/x", address), folder)
    assert found.startswith("line 4, column 14") and expected in found
    assert "pw@" not in found


@pytest.mark.parametrize("address", ["smtp+plain://mail.example.org", "mail.example.org", "smtp://u:p@example.org"])
def test_a_mail_server_must_be_encrypted(folder: Path, address: str) -> None:
    text = f"channels:\n- {{name: m, type: email, address: '{address}', sender: a@b.c, recipients: d@e.f}}\n"
    (found,) = mistakes(text, folder)
    assert "smtp" in found


def test_all_mistakes_are_named(folder: Path) -> None:
    text = "channels:\n- {name: a b, type: webhook}\n- {type: webhook}\n"
    text += "- {name: c, type: pigeon}\n- {name: d, type: mqtt}\n"
    found = mistakes(text, folder)
    assert len(found) == 4
    assert "needs `address`" in found[3]


def test_two_channels_need_two_names(folder: Path) -> None:
    (found,) = mistakes(HOOK + HOOK.removeprefix("channels:\n"), folder)
    assert "a second channel is called 'hook'" in found


def test_a_secret_that_others_can_read_is_a_warning_and_a_missing_one_makes_its_channel_unusable(folder: Path) -> None:
    (folder / "secret").chmod(0o644)
    (warning,) = parse(HOOK, folder).warnings
    assert "can be read by every user" in warning.text
    (folder / "secret").unlink()
    (found,) = parse(HOOK, folder).unusable
    assert str(found).startswith("line 5, column 18") and "No such file" in found.text


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml cannot be read"):
        read_channels(folder / "none.yaml")


def test_an_empty_file_has_no_channels(folder: Path) -> None:
    assert parse("", folder).channels == ()


def test_a_missing_file_makes_its_channel_unusable_and_no_other(folder: Path) -> None:
    other = "  - {name: second, type: webhook, address: 'https://example.org/', secret_file: none}\n"
    found = parse(HOOK + "    cafile: none.pem\n" + other, folder)
    assert [one.name for one in found.channels] == ["hook", "second"]
    assert [str(one) for one in found.unusable] == [
        f"line 6, column 13: hook: {folder}/none.pem cannot be read: No such file or directory",
        f"line 7, column 81: second: {folder}/none cannot be read: No such file or directory",
    ]
    assert parse(HOOK, folder).unusable == ()
