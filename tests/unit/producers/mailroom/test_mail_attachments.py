"""Pictures in the mails of cameras."""

from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.producers.gateway.builders import jpeg
from uncia.producers.mailroom.mail_attachments import Attachment, find_attachments, parse_mail

PICTURE, OTHER = jpeg(1), jpeg(2)


def mail(*files: tuple[str, str, bytes]) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Motion"
    message.set_content("Battery 80%")
    for name, kind, data in files:
        message.add_attachment(data, *kind.split("/"), filename=name)
    return message


def test_several_pictures_come_in_their_order() -> None:
    message = mail(("a.jpg", "image/jpeg", PICTURE), ("b.jpg", "image/jpeg", OTHER))
    assert find_attachments(parse_mail(message.as_bytes())) == [
        Attachment("a.jpg", PICTURE),
        Attachment("b.jpg", OTHER),
    ]


def test_the_same_picture_twice_is_one() -> None:
    message = mail(("a.jpg", "image/jpeg", PICTURE), ("b.jpg", "image/jpeg", PICTURE))
    assert find_attachments(parse_mail(message.as_bytes())) == [Attachment("a.jpg", PICTURE)]


def test_a_picture_with_the_wrong_type_and_a_film_are_found() -> None:
    message = mail(("IMAG0001.JPG", "application/octet-stream", PICTURE), ("1.mp4", "video/mp4", b"film"))
    assert [one.name for one in find_attachments(parse_mail(message.as_bytes()))] == ["IMAG0001.JPG", "1.mp4"]


def test_a_picture_without_a_name_and_inside_the_text_is_found() -> None:
    message = EmailMessage()
    message.set_content("<img src='cid:1'>", subtype="html")
    message.add_related(PICTURE, "image", "jpeg", cid="1")
    assert find_attachments(parse_mail(message.as_bytes())) == [Attachment("attachment.jpg", PICTURE)]


def test_pictures_in_a_forwarded_mail_are_found() -> None:
    outer = EmailMessage()
    outer.set_content("forwarded")
    outer.add_attachment(mail(("a.jpg", "image/jpeg", PICTURE)))
    assert find_attachments(parse_mail(outer.as_bytes())) == [Attachment("a.jpg", PICTURE)]


def test_a_mail_that_is_nothing_but_a_picture() -> None:
    message = EmailMessage()
    message.set_content(PICTURE, "image", "jpeg")
    assert find_attachments(parse_mail(message.as_bytes())) == [Attachment("attachment.jpg", PICTURE)]


def test_a_text_alone_holds_no_file() -> None:
    assert find_attachments(parse_mail(mail().as_bytes())) == []


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="=?utf-8?b?w7xiZXIuanBn?="', "über.jpg"),
        ("attachment; filename*=utf-8''%C3%BCber.jpg", "über.jpg"),
        ('attachment; filename="=?nothing?b?w7xiZXIuanBn?="', "attachment"),
        ('attachment; filename="../../etc/passwd"', "../../etc/passwd"),
    ],
)
def test_encoded_names_are_decoded(header: str, name: str) -> None:
    outer = MIMEMultipart()
    part = MIMEText("x")
    part["Content-Disposition"] = header
    outer.attach(part)
    assert [one.name for one in find_attachments(parse_mail(outer.as_bytes()))] == [name]


def test_a_mail_that_was_cut_gives_what_arrived() -> None:
    raw = mail(("a.jpg", "image/jpeg", PICTURE)).as_bytes()
    (cut,) = find_attachments(parse_mail(raw[: len(raw) * 2 // 3]))
    assert PICTURE.startswith(cut.data[:500])


@given(st.binary(max_size=400), st.integers(0, 600))
def test_no_mail_makes_the_parser_fail(noise: bytes, at: int) -> None:
    raw = mail(("a.jpg", "image/jpeg", b"\xff\xd8\xff some bytes")).as_bytes()
    find_attachments(parse_mail(raw[:at] + noise + raw[at + len(noise) :]))
