"""The lists of requests that gateways behind thin links read."""

from hypothesis import given
from hypothesis import strategies as st

from uncia.fetch_requests import (
    MAX_BYTES,
    MAX_REQUESTS,
    FetchLine,
    fetch_id,
    parse_requests,
    render_requests,
    with_request,
)

LINES = st.lists(
    st.builds(FetchLine, st.integers(0, 2**64 - 1).map("{:016x}".format), st.booleans()),
    unique_by=lambda line: line.id,
    max_size=8,
)


def line(number: int, *, by_person: bool = False) -> FetchLine:
    return FetchLine(fetch_id(str(number)), by_person)


@given(LINES)
def test_a_list_is_read_as_it_was_written(lines: list[FetchLine]) -> None:
    assert list(parse_requests(render_requests(lines))) == lines


@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert all(len(found.id) == 16 for found in parse_requests(data))


def test_a_line_that_was_cut_off_is_left_out() -> None:
    assert parse_requests(render_requests([line(1), line(2)])[:-1]) == (line(1),)


def test_a_repeated_request_changes_nothing_and_a_persons_one_stays() -> None:
    lines = (line(1, by_person=True), line(2))
    assert with_request(lines, line(1)) == lines
    assert with_request(lines, line(2)) == lines


def test_a_persons_request_takes_the_place_of_a_rules_one() -> None:
    assert with_request((line(1), line(2)), line(1, by_person=True)) == (line(2), line(1, by_person=True))


def test_of_a_full_list_the_oldest_request_of_a_rule_makes_way() -> None:
    lines = (line(0, by_person=True), *(line(number) for number in range(1, MAX_REQUESTS)))
    found = with_request(lines, line(MAX_REQUESTS))
    assert len(found) == MAX_REQUESTS
    assert found[0] == lines[0]
    assert line(1) not in found
    assert len(render_requests(found)) <= MAX_BYTES
