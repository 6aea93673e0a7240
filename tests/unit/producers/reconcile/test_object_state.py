"""The state of a stored object: missed, waiting, in work, predicted, refused or fresh."""

import json
from datetime import UTC, datetime
from urllib.parse import unquote_plus

import pytest

from uncia.producers.reconcile.ledger import UploadRecord
from uncia.producers.reconcile.notifications import notification_of, path_of
from uncia.producers.reconcile.object_state import ObjectState, TimeLimits, state_of
from uncia.storage.object_store import StoredObject

NOW = 1_800_000_000.0
PATIENCE = TimeLimits(now=NOW, fresh_s=30, unanswered_after_s=600, again_after_s=300)


def stored(key: str) -> StoredObject:
    return StoredObject(key, "e1", 100, datetime.fromtimestamp(NOW - 600, UTC))


@pytest.mark.parametrize(
    ("known", "refused_ago", "age", "state"),
    [
        pytest.param(None, None, 600, ObjectState.MISSED, id="never announced"),
        pytest.param(None, None, 5, ObjectState.FRESH, id="its notification may be under way"),
        pytest.param(UploadRecord(announced=NOW - 60), None, 600, ObjectState.IN_WORK, id="announced lately"),
        pytest.param(UploadRecord(announced=NOW - 601), None, 900, ObjectState.UNANSWERED, id="announced long ago"),
        pytest.param(UploadRecord(NOW - 900, 0, NOW - 60), None, 999, ObjectState.IN_WORK, id="announced again lately"),
        pytest.param(
            UploadRecord(announced=NOW - 900, answered_at=NOW - 899), None, 900, ObjectState.ANSWERED, id="answered"
        ),
        pytest.param(
            UploadRecord(answered_at=1),
            None,
            900,
            ObjectState.ANSWERED,
            id="answered, its fact_of_upload no longer kept",
        ),
        pytest.param(
            UploadRecord(NOW - 800, NOW - 799, 0, NOW - 700),
            None,
            600,
            ObjectState.MISSED,
            id="put back after it was withdrawn",
        ),
        pytest.param(
            UploadRecord(NOW - 800, NOW - 650, 0, NOW - 700),
            None,
            600,
            ObjectState.ANSWERED,
            id="put back and answered again",
        ),
        pytest.param(
            UploadRecord(NOW - 800, 0, 0, NOW - 790), None, 9000, ObjectState.UNANSWERED, id="not found where it stands"
        ),
        pytest.param(
            UploadRecord(NOW - 800, 0, NOW - 100, NOW - 790),
            None,
            600,
            ObjectState.WAITING,
            id="put back and announced by us",
        ),
        pytest.param(UploadRecord(NOW - 800, 0, 0, NOW - 790), None, 5, ObjectState.FRESH, id="put back a moment ago"),
        pytest.param(None, 500, 600, ObjectState.REFUSED, id="refused after it was stored"),
        pytest.param(None, 700, 600, ObjectState.MISSED, id="stored anew after a fact_of_refusal"),
        pytest.param(
            UploadRecord(announced=NOW - 60), 500, 600, ObjectState.IN_WORK, id="announced after a fact_of_refusal"
        ),
        pytest.param(UploadRecord(by_us=NOW - 299), None, 600, ObjectState.WAITING, id="announced by us lately"),
        pytest.param(UploadRecord(by_us=NOW - 301), None, 600, ObjectState.MISSED, id="announced by us in vain"),
        pytest.param(
            UploadRecord(by_us=NOW + 99),
            None,
            600,
            ObjectState.MISSED,
            id="announced by us by a clock that was set back",
        ),
    ],
)
def test_the_state_of_an_object(
    known: UploadRecord | None, refused_ago: float | None, age: float, state: ObjectState
) -> None:
    assert state_of(known, None if refused_ago is None else NOW - refused_ago, NOW - age, PATIENCE) is state


def test_the_announcement_is_an_s3_notification_with_an_encoded_key() -> None:
    record = json.loads(notification_of("b", stored("s/c/IMG 1+ü%.jpg")))["Records"][0]
    assert unquote_plus(record["s3"]["object"]["key"]) == "s/c/IMG 1+ü%.jpg"


def test_the_message_key_is_the_object_path() -> None:
    assert path_of("b", "s/c/1.jpg") == b"/buckets/b/s/c/1.jpg"
