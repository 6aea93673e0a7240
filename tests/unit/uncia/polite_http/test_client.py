"""Rates, retries and bounds over real sockets, and the addresses that are never connected to."""

import io
import threading

import pytest

from tests.unit.processors.delivery.http_receiver import Answer, receiving
from uncia.backoff import Backoff
from uncia.polite_http.client import FetchFailed, FetchStopped, PoliteClient, origin_of
from uncia.polite_http.rate_limit import HostLimiter
from uncia.polite_http.robots import Robots
from uncia.training.harvest.sources.page import document_of

OK = Answer(200, {"Content-Type": "application/json"}, b'{"a": 1}')
HTML = Answer(200, {"Content-Type": "text/html"}, b"<html>Sorry</html>")


def client(url: str, *, trusted: bool = True, timeout_s: float = 10.0) -> PoliteClient:
    limiter = HostLimiter({"127.0.0.1": 0.0})
    origins = [origin_of(url)] if trusted else []
    return PoliteClient(
        limiter,
        "Uncia/0 (test)",
        threading.Event(),
        trusted=origins,
        backoff=Backoff(0.001, 0.001),
        timeout_s=timeout_s,
    )


@pytest.mark.parametrize(
    "trouble",
    [
        HTML,
        Answer(200, {}, b'{"a": '),
        Answer(429, {"Retry-After": "0"}),
        Answer(503),
        Answer(200, {}, b'{"a": 1}', cut=True),
        Answer(drop=True),
    ],
    ids=["html", "truncated", "429", "503", "cut-off", "dropped"],
)
def test_a_trouble_that_passes_is_tried_again(trouble: Answer) -> None:
    with receiving(trouble, trouble, OK) as server:
        assert client(server.url).get_json(server.url, document_of) == {"a": 1}
    assert len(server.requests) == 3


def test_html_that_stays_is_a_failure_with_its_content_type() -> None:
    with receiving(HTML) as server, pytest.raises(FetchFailed, match="text/html") as caught:
        client(server.url).get_json(server.url, document_of)
    assert caught.value.temporary


def test_a_server_that_asks_for_an_hour_is_left_alone_in_this_run() -> None:
    with receiving(Answer(429, {"Retry-After": "3600"})) as server, pytest.raises(FetchFailed) as caught:
        client(server.url).get_json(server.url, document_of)
    assert len(server.requests) == 1
    assert caught.value.retry_after_s == 3600


def test_an_answer_that_no_attempt_can_change_is_not_tried_again() -> None:
    with receiving(Answer(404)) as server, pytest.raises(FetchFailed) as caught:
        client(server.url).get_json(server.url, document_of)
    assert len(server.requests) == 1
    assert not caught.value.temporary


def test_it_says_who_asks() -> None:
    with receiving(OK) as server:
        client(server.url).get_json(server.url, document_of)
    assert server.requests[0].headers["User-Agent"] == "Uncia/0 (test)"


def test_a_picture_that_declares_a_gigabyte_is_not_read() -> None:
    with receiving(Answer(200, {"Content-Length": "1000000000"}, b"x")) as server, pytest.raises(FetchFailed) as caught:
        client(server.url).get_file(server.url, io.BytesIO(), 1000)
    assert caught.value.reason == "too-large"


def test_a_picture_that_never_ends_is_cut_at_the_limit() -> None:
    sink = io.BytesIO()
    with receiving(Answer(200, {}, b"x" * 200_000)) as server, pytest.raises(FetchFailed):
        client(server.url).get_file(server.url, sink, 1000)
    assert len(sink.getvalue()) <= 1000


def test_a_server_that_drips_ends_at_the_time_limit() -> None:
    with receiving(Answer(drip=True)) as server, pytest.raises(FetchFailed) as caught:
        client(server.url, timeout_s=0.2).get_json(server.url, document_of)
    assert caught.value.temporary


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x.jpg",
        "http://localhost/x.jpg",
        "http://[::1]/x.jpg",
        "http://10.0.0.1/x.jpg",
        "http://192.168.1.1/x.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:127.0.0.1]/x.jpg",
        "http://0.0.0.0/x.jpg",
    ],
)
def test_a_record_cannot_name_an_address_of_our_network(url: str) -> None:
    with pytest.raises(FetchFailed) as caught:
        client(url, trusted=False).get_file(url, io.BytesIO(), 1000)
    assert caught.value.reason == "address-forbidden"


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/", "http://169.254.169.254/", "http://10.1.2.3/"])
def test_neither_can_a_redirect(target: str) -> None:
    with receiving(Answer(302, {"Location": target})) as server, pytest.raises(FetchFailed) as caught:
        client(server.url).get_file(server.url, io.BytesIO(), 1000)
    assert caught.value.reason == "address-forbidden"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/x", "http://user:password@example.org/"])
def test_a_redirect_to_another_scheme_is_refused(target: str) -> None:
    with receiving(Answer(302, {"Location": target})) as server, pytest.raises(FetchFailed) as caught:
        client(server.url).get_file(server.url, io.BytesIO(), 1000)
    assert caught.value.reason == "not-a-url"


def test_redirects_in_a_circle_end() -> None:
    with receiving(Answer(302, {"Location": "/again"})) as server, pytest.raises(FetchFailed) as caught:
        client(server.url).get_file(server.url, io.BytesIO(), 1000)
    assert caught.value.reason == "redirects"


def test_a_stopped_run_ends_its_waits() -> None:
    stop = threading.Event()
    stop.set()
    waiting = PoliteClient(HostLimiter({"example.org": 1000.0}), "Uncia", stop)
    with pytest.raises(FetchStopped):
        waiting.get_json("http://example.org/", document_of)


def test_requests_to_one_host_are_an_interval_apart_and_those_to_others_are_not() -> None:
    now = [100.0]
    limiter = HostLimiter({"slow": 3.5}, clock=lambda: now[0])
    assert [limiter.take("slow") for _ in range(2)] == [0.0, 3.5]
    assert limiter.take("other") == 0.0
    now[0] = 103.5
    assert [limiter.take("slow") for _ in range(2)] == [0.0, 3.5]


def test_a_host_that_asks_for_a_pause_gets_it() -> None:
    limiter = HostLimiter(clock=lambda: 100.0)
    limiter.pause("host", 30.0)
    assert limiter.take("host") == 30.0


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (Answer(200, {}, b"User-agent: *\nDisallow: /private/"), False),
        (Answer(200, {}, b"User-agent: Uncia\nDisallow: /"), False),
        (Answer(200, {}, b"User-agent: Other\nDisallow: /"), True),
        (Answer(404), True),
    ],
)
def test_the_rules_for_robots_are_kept(answer: Answer, allowed: bool) -> None:
    with receiving(answer) as server:
        robots = Robots(client(server.url), "Uncia")
        assert robots.allows(f"{server.url}/private/x.jpg") is allowed
        robots.allows(f"{server.url}/private/y.jpg")
    assert len(server.requests) == 1


def test_while_the_rules_cannot_be_read_nothing_is_fetched() -> None:
    with receiving(Answer(500)) as server, pytest.raises(FetchFailed) as caught:
        Robots(client(server.url), "Uncia").allows(f"{server.url}/x.jpg")
    assert caught.value.temporary
