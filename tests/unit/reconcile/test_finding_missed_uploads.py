"""What nobody announced is found; what was announced, refused or is too fresh is left alone."""

import json
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from producers.reconcile.compare import Announced
from producers.reconcile.notification import notification_of, path_of
from uncia.ids import upload_id
from uncia.object_store import StoredObject

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()


def stored(key: str, age_s: float = 600, etag: str = "e1") -> StoredObject:
    return StoredObject(key, etag, 100, datetime.fromtimestamp(NOW - age_s, UTC))


def missed(announced: Announced, *objects: StoredObject, now: float = NOW) -> list[str]:
    found = announced.missed("b", objects, now=now, older_than_s=30, again_after_s=300)
    return [one.key for one in found]


def test_an_object_that_no_event_names_is_missed() -> None:
    assert missed(Announced(), stored("s/c/1.jpg")) == ["s/c/1.jpg"]


def test_an_announced_object_is_not_missed() -> None:
    announced = Announced(uploads={upload_id("b", "s/c/1.jpg", "e1")})
    assert missed(announced, stored("s/c/1.jpg")) == []


def test_new_content_under_an_announced_key_is_missed() -> None:
    announced = Announced(uploads={upload_id("b", "s/c/1.jpg", "e1")})
    assert missed(announced, stored("s/c/1.jpg", etag="e2")) == ["s/c/1.jpg"]


def test_a_refused_object_is_answered_by_its_dead_letter() -> None:
    assert missed(Announced(refused={"b/stray.jpg"}), stored("stray.jpg")) == []


def test_a_fresh_object_is_given_time_for_its_own_notification() -> None:
    assert missed(Announced(), stored("s/c/1.jpg", age_s=5)) == []


def test_folders_are_no_photographs() -> None:
    assert missed(Announced(), stored("s/c/")) == []


def test_what_we_announced_is_announced_again_only_after_a_while() -> None:
    announced = Announced()
    rounds = [missed(announced, stored("k"), now=NOW + later) for later in (0, 60, 299, 301)]
    assert rounds == [["k"], [], [], ["k"]]


def test_the_announcement_is_an_s3_notification_with_an_encoded_key() -> None:
    record = json.loads(notification_of("b", stored("s/c/IMG 1+ü%.jpg")))["Records"][0]
    assert unquote_plus(record["s3"]["object"]["key"]) == "s/c/IMG 1+ü%.jpg"


def test_the_message_key_is_the_object_path() -> None:
    assert path_of("b", "s/c/1.jpg") == b"/buckets/b/s/c/1.jpg"
