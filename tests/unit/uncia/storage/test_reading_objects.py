"""Reading objects from a fake store: bytes, or the error that says what happened."""

from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from botocore.stub import Stubber

from tests.unit.uncia.storage.servers import serving, store_at
from uncia.errors import DependencyDown, SettingsError
from uncia.settings import Settings
from uncia.storage.object_store import AccessRefused, ObjectMissing, ObjectStore, ObjectTooLarge, ObjectUnreadable

DATA = b"a photograph"


class Shop(ThreadingHTTPServer):
    """A store with one answer for every request. `cut`: how many bytes of each answer are not sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Counter)
        self.answers: list[tuple[int, bytes, int]] = [(200, DATA, 0)]
        self.keys: list[str] = []
        self.connections = 0

    def say(self, *answers: tuple[int, bytes, int]) -> None:
        """The answers to come; the last repeats."""
        self.answers = list(answers)


class Counter(BaseHTTPRequestHandler):
    """One connection to the shop."""

    protocol_version = "HTTP/1.1"
    server: Shop

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        self.server.keys.append(unquote(urlsplit(self.path).path))
        answers = self.server.answers
        status, body, cut = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])
        self.close_connection = cut > 0

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[Shop]:
    with serving(Shop()) as shop:
        yield shop


@pytest.fixture
def store(shop: Shop) -> Iterator[ObjectStore]:
    with store_at(shop) as store:
        yield store


def get(store: ObjectStore, key: str = "s/c/1.jpg", max_bytes: int = 100) -> bytes:
    return store.get("b", key, max_bytes=max_bytes)


def refusal(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()


def test_objects_are_read_one_after_the_other_over_one_connection(shop: Shop, store: ObjectStore) -> None:
    assert [get(store) for _ in range(3)] == [DATA] * 3
    assert shop.connections == 1


@pytest.mark.parametrize("key", ["s/c/a b+c%20d.jpg", "s/c/été ❄.jpg", "s/c/a?b#c&d=e.jpg", "s//c/./x.jpg"])
def test_a_key_arrives_as_it_is(shop: Shop, store: ObjectStore, key: str) -> None:
    get(store, key)
    assert shop.keys == [f"/b/{key}"]


def test_an_empty_object_is_no_bytes(shop: Shop, store: ObjectStore) -> None:
    shop.say((200, b"", 0))
    assert get(store) == b""


def test_an_object_that_is_too_large_is_not_read(store: ObjectStore) -> None:
    with pytest.raises(ObjectTooLarge, match="12 bytes; the limit is 11"):
        get(store, max_bytes=len(DATA) - 1)


def test_a_truncated_response_is_requested_again(shop: Shop, store: ObjectStore) -> None:
    shop.say((200, DATA, 3), (200, DATA, 0))
    assert get(store) == DATA


def test_answers_that_always_break_off_are_never_half_an_object(shop: Shop, store: ObjectStore) -> None:
    shop.say((200, DATA, 3))
    with pytest.raises(DependencyDown, match="IncompleteRead"):
        get(store)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", ObjectMissing),
        (403, "AccessDenied", AccessRefused),
        (403, "SignatureDoesNotMatch", AccessRefused),
        (400, "KeyTooLongError", ObjectUnreadable),
        (403, "InvalidObjectState", ObjectUnreadable),
        (500, "InternalError", DependencyDown),
        (503, "SlowDown", DependencyDown),
    ],
)
def test_a_refusal_names_the_error_of_the_store(
    shop: Shop, store: ObjectStore, status: int, code: str, error: type[Exception]
) -> None:
    shop.say((status, refusal(code), 0))
    with pytest.raises(error, match=code if error is not ObjectMissing else "not in the store"):
        get(store)


def test_a_name_that_s3_does_not_take_is_unreadable(store: ObjectStore) -> None:
    with pytest.raises(ObjectUnreadable, match="no name that S3 takes"):
        get(store, "")


def test_a_store_that_is_not_there_is_down() -> None:
    # Nothing listens on the discard port.
    gone = ObjectStore(Settings(s3_endpoint="http://127.0.0.1:9", s3_access_key="a", s3_secret_key="b"), attempts=1)
    with pytest.raises(DependencyDown, match="does not answer"):
        get(gone)
    gone.close()


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that boto3's own search would find, and no machine on the network to ask for any."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_without_any_credentials_it_says_which_variables_to_set(no_credentials: None, shop: Shop) -> None:
    store = ObjectStore(Settings(s3_endpoint=f"http://127.0.0.1:{shop.server_port}"), attempts=1)
    with pytest.raises(AccessRefused, match="set UNCIA_S3_ACCESS_KEY and UNCIA_S3_SECRET_KEY"):
        get(store)
    with pytest.raises(AccessRefused, match="no credentials"):
        list(store.list("b"))
    store.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_ACCESS_KEY_ID", "hunter2"), ("AWS_PROFILE", "no-such-profile")],
)
def test_half_of_what_boto3_finds_itself_is_a_sentence(
    no_credentials: None, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="the object store cannot be used") as caught:
        ObjectStore(Settings(s3_endpoint="http://127.0.0.1:1"))
    assert "hunter2" not in str(caught.value)


def test_a_region_that_is_none_is_a_sentence(no_credentials: None) -> None:
    with pytest.raises(SettingsError, match="the object store cannot be used"):
        ObjectStore(Settings(s3_endpoint="http://127.0.0.1:1", s3_region="us east"))


def test_the_versions_of_a_key_are_found_behind_those_of_a_longer_key() -> None:
    """SeaweedFS 4.48 lists `x.versions.jpg` before `x.v`, by the names of its folders."""
    store = ObjectStore(Settings(_env_file=None, s3_endpoint="http://store.test", s3_access_key="a", s3_secret_key="b"))
    listed = [
        {"Key": key, "VersionId": version, "IsLatest": True, "ETag": '"aaa"', "Size": 1}
        for key, version in (("s/c/x.versions.jpg", "1"), ("s/c/x.v", "2"))
    ]
    with closing(store), Stubber(store.client) as stubber:
        stubber.add_response("list_object_versions", {"Versions": listed, "IsTruncated": False})
        assert [found.version_id for found in store.versions("b", "s/c/x.v")] == ["2"]
