"""The text of mails, whatever their parts and encodings."""

import time
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.producers.mailroom.test_mail_attachments import PICTURE, mail
from uncia.producers.mailroom.mail_attachments import parse_mail
from uncia.producers.mailroom.mail_text import read_mail_text, time_of_delivery

NOW = datetime(2026, 5, 14, 12, tzinfo=UTC)


def test_sender_subject_and_text_are_read() -> None:
    message = EmailMessage()
    message["From"] = "Camera 7 <cam7@Mail.Example.ORG>"
    message["Subject"] = "=?utf-8?q?Statusbericht_f=C3=BCr_heute?="
    message.set_content("Temp: 24℃")
    found = read_mail_text(parse_mail(message.as_bytes()))
    assert (found.sender, found.subject, found.text.strip()) == (
        "mail.example.org",
        "Statusbericht für heute",
        "Temp: 24℃",
    )


def test_the_plain_text_goes_before_the_page() -> None:
    message = EmailMessage()
    message.set_content("Battery: 80%")
    message.add_alternative("<p>Battery: 70%</p>", subtype="html")
    assert read_mail_text(parse_mail(message.as_bytes())).text.strip() == "Battery: 80%"


def test_a_row_of_a_table_is_a_line() -> None:
    message = EmailMessage()
    message.set_content(
        "<head><style>b {}</style></head><table><tr><td>Battery</td><td>80&nbsp;%</td></tr>"
        "<tr><td>SD</td><td>&lt;1 GB</td></tr></table>",
        subtype="html",
    )
    lines = [" ".join(line.split()) for line in read_mail_text(parse_mail(message.as_bytes())).text.splitlines()]
    assert list(filter(None, lines)) == ["Battery 80 %", "SD <1 GB"]


def test_attached_files_are_no_text() -> None:
    message = mail(("a.jpg", "image/jpeg", PICTURE))
    message.add_attachment(b"Battery: 10%", "text", "plain", filename="x.txt")
    assert read_mail_text(parse_mail(message.as_bytes())).text.strip() == "Battery 80%"


def test_the_same_mail_by_another_way_is_the_same_mail() -> None:
    raw = mail().as_bytes()
    assert (
        read_mail_text(parse_mail(raw)).identity
        == read_mail_text(parse_mail(b"Received: from elsewhere\r\n" + raw)).identity
    )
    assert read_mail_text(parse_mail(raw)).identity != read_mail_text(parse_mail(b"Message-ID: <2@x>\n" + raw)).identity


@given(st.binary(max_size=400), st.integers(0, 600))
def test_no_mail_makes_it_fail(noise: bytes, at: int) -> None:
    message = mail()
    if at % 2:
        message.set_content("<p>Battery: 70%</p><!-- -->", subtype="html")
    message.add_attachment(b"\xff\xd8\xff some bytes", "image", "jpeg", filename="a.jpg")
    raw = message.as_bytes()
    damaged = raw[:at] + noise + raw[at + len(noise) :]
    read_mail_text(parse_mail(damaged))
    assert time_of_delivery(damaged, NOW) <= NOW


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("from a by b; Thu, 14 May 2026 13:00:00 +0200", datetime(2026, 5, 14, 11, tzinfo=UTC)),
        ("from a by b; Thu, 14 May 2026 13:00:00 -0000", NOW),
        ("from a by b; Thu, 14 May 1970 13:00:00 +0000", NOW),
        ("from a by b; yesterday", NOW),
        ("", NOW),
    ],
)
def test_a_fetched_mail_arrived_when_its_server_received_it(header: str, moment: datetime) -> None:
    raw = f"Received: {header}\nReceived: of; Mon, 1 Jan 2024 00:00:00 +0000\nDate: Mon, 1 Jan 2018 00:00:00 +0000\n\nx"
    assert time_of_delivery(raw.encode(), NOW) == moment


@pytest.mark.parametrize(
    "unit",
    ["<!--", "<a", "<", "</", "&", "&#1", "<a b='", "<![", "<?", "<script>", "<a b", "<p>", "<a\t/", '<p a="', "> "],
)
def test_a_large_page_takes_linear_time(unit: str) -> None:
    message = EmailMessage()
    message.set_content(f"<p>Battery: 80%</p>{unit * (1_000_000 // len(unit))}", subtype="html", cte="base64")
    began = time.process_time()
    assert "Battery: 80%" in read_mail_text(parse_mail(message.as_bytes())).text
    assert time.process_time() - began < 1


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "punycode", "rot13", "idna", "nothing"])
def test_a_strange_encoding_gives_text_that_can_be_stored(charset: str) -> None:
    raw = (
        f"Subject: =?{charset}?q?=5Cud800?=\nMessage-ID: =?{charset}?q?=5Cud800?=\n"
        f"Content-Type: text/plain; charset={charset}\n\nBattery: 80% \\ud800 +2AA-\n"
    )
    found = read_mail_text(parse_mail(raw.encode()))
    assert "".join(found.identity).encode()
