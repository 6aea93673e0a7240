"""Dead letters are shown safely, retried unchanged, and distinguished from those of earlier topics."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.errors import PermanentError, UnciaError
from uncia.events import DeadLetter, DeadLetterSettled, Settlement
from uncia.events.dead_letter import RETRIES, TRUNCATED_FROM
from uncia.kafka.broker import Message
from uncia.producers.dead_letters.reading import DeadLetterFilter, DeadLetterRecord, Settlements, parse_ids
from uncia.producers.dead_letters.rendering import hex_dump, render_details, render_line, render_value
from uncia.producers.dead_letters.settlement import retry_refusal, retry_topics
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
) -> DeadLetterRecord:
    partition, offset = (int(part) for part in at.split(":"))
    why = DeadLetter.of(PermanentError(reason, "why"), topic=topic, partition=1, offset=5, stage="intake", worker="w")
    headers = [*own, *why.headers()]
    moment = int(WRITTEN.timestamp() * 1000)
    return DeadLetterRecord(Message("uncia.dead-letter.v1", partition, offset, moment, b"/buckets/b/k", value, headers))


def mark(**changes: Any) -> DeadLetterSettled:
    values = {"letter": "0:17", "written_at": WRITTEN, "settlement": Settlement.DROPPED, "settled_at": WRITTEN}
    return DeadLetterSettled.model_validate({**values, **changes})


def test_a_letter_with_a_settlement_is_settled() -> None:
    settled = Settlements()
    settled.add(mark())
    assert settled.of(letter()) is not None


def test_a_settlement_from_an_earlier_topic_is_ignored() -> None:
    settled = Settlements()
    settled.add(mark(written_at=WRITTEN - timedelta(days=1)))
    assert settled.of(letter()) is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (DeadLetterFilter(), True),
        (DeadLetterFilter(ids=frozenset({"0:17"})), True),
        (DeadLetterFilter(ids=frozenset({"0:18"})), False),
        (DeadLetterFilter(reason="notification-malformed", stage="intake"), True),
        (DeadLetterFilter(reason="key-outside-pattern"), False),
        (DeadLetterFilter(stage="predict"), False),
        (DeadLetterFilter(since=WRITTEN), True),
        (DeadLetterFilter(since=WRITTEN + timedelta(seconds=1)), False),
    ],
)
def test_letters_are_filtered_by_id_reason_stage_and_time(wanted: DeadLetterFilter, expected: bool) -> None:
    assert wanted.matches(letter()) is expected


@pytest.mark.parametrize("wrong", ["17", "0:x", "-1:2", "0:1:2", ""])
def test_an_invalid_id_is_refused(wrong: str) -> None:
    with pytest.raises(UnciaError, match="not the id of a dead letter"):
        parse_ids([wrong])


def test_a_retried_letter_has_only_the_original_headers() -> None:
    sent = letter(own=(("trace", b"1"), (RETRIES, b"2")))
    assert sent.own_headers == [("trace", b"1")]
    assert sent.retries == 2


def test_a_truncated_message_is_not_retried() -> None:
    truncated = letter(own=((TRUNCATED_FROM, b"9000000"),))
    assert "9,000,000" in retry_refusal(truncated, retry_topics(SETTINGS))


@pytest.mark.parametrize("topic", ["", "secrets", "uncia.dead-letter.v1", "other.storage.object.changed"])
def test_a_letter_cannot_be_sent_to_a_topic_that_no_worker_reads(topic: str) -> None:
    assert retry_refusal(letter(topic=topic), retry_topics(SETTINGS))


def test_a_complete_letter_of_a_known_topic_may_be_retried() -> None:
    assert retry_refusal(letter(), retry_topics(SETTINGS)) == ""


def test_text_is_shown_as_text() -> None:
    assert render_value('{"Records": [}, "é"'.encode()) == '{"Records": [}, "é"'


def test_a_text_that_is_cut_within_a_character_is_still_text() -> None:
    shown = render_value("é".encode() * 10, max_bytes=5)
    assert shown.startswith("éé")
    assert "20 bytes in total, 5 shown" in shown


def test_binary_is_a_hex_dump() -> None:
    assert render_value(b"\xff\xd8A").startswith("00000000  ff d8 41")


def test_a_hex_dump_has_sixteen_bytes_a_line() -> None:
    assert [line[:8] for line in hex_dump(bytes(40)).splitlines()] == ["00000000", "00000010", "00000020"]


@given(value=st.binary(max_size=300), name=st.text(max_size=20), header=st.binary(max_size=30))
def test_arbitrary_bytes_are_escaped_for_the_terminal(value: bytes, name: str, header: bytes) -> None:
    shown = render_details(letter(value, own=((name, header),)), None) + render_line(letter(value), None)
    assert printable(shown, lines=True) == shown


def test_the_details_contain_origin_reason_and_state() -> None:
    details = render_details(letter(), mark(settlement=Settlement.RETRIED, sent_to="storage.object.changed:1:9"))
    for detail in ("0:17", "notification-malformed", "retried", "storage.object.changed:1:9", "garbage"):
        assert detail in details
