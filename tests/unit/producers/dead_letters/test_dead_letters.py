"""Dead letters: shown safely, sent back as they came, and told apart from others of the same id."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.errors import PermanentError, UnciaError
from uncia.events import DeadLetter, DeadLetterSettled, Settlement
from uncia.events.dead_letter import RETRIES, TRUNCATED_FROM
from uncia.kafka.broker import Message
from uncia.producers.dead_letters.reading import Letter, Settled, Wanted, ids_of
from uncia.producers.dead_letters.rendering import hex_dump, line_of, page_of, value_text
from uncia.producers.dead_letters.settling import sendable_topics, why_not
from uncia.settings import Settings
from uncia.terminal import printable

SETTINGS = Settings(_env_file=None, namespace="")
WRITTEN = datetime(2026, 5, 1, 12, tzinfo=UTC)


def letter(
    value: bytes | None = b"garbage",
    *,
    topic: str = "storage.object.changed",
    reason: str = "notification-malformed",
    own: tuple[tuple[str, bytes], ...] = (),
    at: str = "0:17",
) -> Letter:
    partition, offset = (int(part) for part in at.split(":"))
    why = DeadLetter.of(PermanentError(reason, "why"), topic=topic, partition=1, offset=5, stage="intake", worker="w")
    headers = [*own, *why.headers()]
    moment = int(WRITTEN.timestamp() * 1000)
    return Letter(Message("uncia.dead-letter.v1", partition, offset, moment, b"/buckets/b/k", value, headers))


def mark(**changes: Any) -> DeadLetterSettled:
    told = {"letter": "0:17", "written_at": WRITTEN, "settlement": Settlement.DROPPED, "settled_at": WRITTEN}
    return DeadLetterSettled.model_validate({**told, **changes})


def test_a_marked_letter_is_settled() -> None:
    settled = Settled()
    settled.add(mark())
    assert settled.of(letter()) is not None


def test_a_mark_on_a_letter_of_an_earlier_topic_settles_none_of_the_same_id() -> None:
    settled = Settled()
    settled.add(mark(written_at=WRITTEN - timedelta(days=1)))
    assert settled.of(letter()) is None


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted(), True),
        (Wanted(ids=frozenset({"0:17"})), True),
        (Wanted(ids=frozenset({"0:18"})), False),
        (Wanted(reason="notification-malformed", stage="intake"), True),
        (Wanted(reason="key-outside-pattern"), False),
        (Wanted(stage="predict"), False),
        (Wanted(since=WRITTEN), True),
        (Wanted(since=WRITTEN + timedelta(seconds=1)), False),
    ],
)
def test_letters_are_chosen_by_id_reason_stage_and_time(wanted: Wanted, takes: bool) -> None:
    assert wanted.takes(letter()) is takes


@pytest.mark.parametrize("wrong", ["17", "0:x", "-1:2", "0:1:2", ""])
def test_what_is_no_id_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(UnciaError, match="no dead letter's id"):
        ids_of([wrong])


def test_a_letter_goes_back_with_the_originals_own_headers_alone() -> None:
    sent = letter(own=(("trace", b"1"), (RETRIES, b"2")))
    assert sent.own_headers == [("trace", b"1")]
    assert sent.retries == 2


def test_half_a_message_is_not_sent_back() -> None:
    truncated = letter(own=((TRUNCATED_FROM, b"9000000"),))
    assert "9,000,000" in why_not(truncated, sendable_topics(SETTINGS))


@pytest.mark.parametrize("topic", ["", "secrets", "uncia.dead-letter.v1", "other.storage.object.changed"])
def test_a_letter_cannot_choose_another_topic_than_the_workers_read(topic: str) -> None:
    assert why_not(letter(topic=topic), sendable_topics(SETTINGS))


def test_a_whole_letter_of_a_known_topic_may_go_back() -> None:
    assert why_not(letter(), sendable_topics(SETTINGS)) == ""


def test_text_is_shown_as_text() -> None:
    assert value_text('{"Records": [}, "é"'.encode()) == '{"Records": [}, "é"'


def test_a_text_that_is_cut_within_a_character_is_still_text() -> None:
    shown = value_text("é".encode() * 10, most=5)
    assert shown.startswith("éé")
    assert "20 bytes in all, 5 shown" in shown


def test_binary_is_a_hex_dump() -> None:
    assert value_text(b"\xff\xd8A").startswith("00000000  ff d8 41")


def test_a_hex_dump_has_sixteen_bytes_a_line() -> None:
    assert [line[:8] for line in hex_dump(bytes(40)).splitlines()] == ["00000000", "00000010", "00000020"]


@given(value=st.binary(max_size=300), name=st.text(max_size=20), header=st.binary(max_size=30))
def test_nothing_that_a_stranger_sent_commands_the_terminal(value: bytes, name: str, header: bytes) -> None:
    shown = page_of(letter(value, own=((name, header),)), None) + line_of(letter(value), None)
    assert printable(shown, lines=True) == shown


def test_the_page_tells_where_why_and_what_became_of_it() -> None:
    page = page_of(letter(), mark(settlement=Settlement.RETRIED, sent_to="storage.object.changed:1:9"))
    for told in ("0:17", "notification-malformed", "retried", "storage.object.changed:1:9", "garbage"):
        assert told in page
