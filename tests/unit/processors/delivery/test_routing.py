"""Which channel gets which event, and from where the log is read."""

from tests.unit.processors.delivery.examples import alert, channel
from uncia.events import AlertRaised, AlertState, Severity
from uncia.processors.delivery.alert_intake import start_offsets
from uncia.processors.delivery.channels import Channel, route, unknown_names
from uncia.processors.delivery.outbox import PartitionOffset

RAISED, UPDATED, WITHDRAWN = AlertState
PLACE, OTHER = ("camera.alert.raised.v1", 0), ("camera.alert.raised.v1", 1)


def names(event: AlertRaised, *channels: Channel, holding: tuple[str, ...] = ()) -> list[str]:
    return [one.name for one in route(event, {one.name: one for one in channels}, dict.fromkeys(holding, False))]


def test_a_rule_names_its_channels_and_one_without_them_uses_the_defaults() -> None:
    channels = channel("a"), channel("b", default=True)
    assert names(alert(channels=("a",)), *channels) == ["a"]
    assert names(alert(), *channels) == ["b"]


def test_a_rule_whose_channels_do_not_exist_uses_the_defaults() -> None:
    event = alert(channels=("typo",))
    assert names(event, channel("a"), channel("b", default=True)) == ["b"]
    assert unknown_names(event, ["a", "b"]) == ("typo",)


def test_severity_station_and_state_limit_what_a_channel_gets() -> None:
    one = channel(default=True, minimum_severity=Severity.WARNING, stations=("ridge", "valley-*"))
    assert names(alert(), one)
    assert not names(alert(severity=Severity.INFO), one)
    assert names(alert(station="valley-3"), one)
    assert not names(alert(station="valley"), one)
    assert not names(alert(state=UPDATED, revision=2), channel(default=True, states=frozenset({RAISED})))


def test_brackets_in_a_station_name_are_brackets() -> None:
    assert names(alert(station="s[1]"), channel(default=True, stations=("s[1]",)))
    assert not names(alert(station="s1"), channel(default=True, stations=("s[1]",)))


def test_a_channel_with_an_alert_gets_its_later_events_whatever_the_rule_says_now() -> None:
    channels = channel("a", minimum_severity=Severity.CRITICAL), channel("b")
    assert names(alert(revision=2, state=WITHDRAWN, channels=("b",)), *channels, holding=("a",)) == ["a"]
    assert names(alert(revision=2, state=UPDATED, channels=("b",)), *channels, holding=("a",)) == ["a", "b"]


def test_a_withdrawal_is_no_news_for_a_channel_without_the_alert() -> None:
    assert not names(alert(revision=2, state=WITHDRAWN), channel(default=True))


def test_a_withdrawal_reaches_the_outbox_of_a_channel_that_gets_none_to_cancel_what_waits() -> None:
    one = channel(default=True, states=frozenset({RAISED}))
    assert names(alert(revision=2, state=WITHDRAWN), one, holding=("one",)) == ["one"]


def starts(stored: dict[tuple[str, int], PartitionOffset], end: int, topic_id: str = "id") -> PartitionOffset:
    return start_offsets(stored, {PLACE[0]: topic_id}, {PLACE: end}, now=900.0)[PLACE]


def test_a_new_outbox_begins_at_the_end_of_the_log() -> None:
    assert starts({}, 40) == PartitionOffset("id", 40, 900.0)


def test_an_outbox_in_use_goes_on_and_reads_new_partitions_from_their_beginning() -> None:
    stored = {PLACE: PartitionOffset("id", 30, 500.0)}
    assert start_offsets(stored, {PLACE[0]: "id"}, {PLACE: 40, OTHER: 5}, 900.0) == {
        PLACE: PartitionOffset("id", 30, 500.0),
        OTHER: PartitionOffset("id", 0),
    }


def test_a_log_that_begins_again_is_read_from_its_beginning_with_the_time_of_what_is_old() -> None:
    stored = {PLACE: PartitionOffset("id", 30, 500.0)}
    assert starts(stored, 20) == PartitionOffset("id", 0, 500.0, again_end=20, again_before=440.0)
    assert starts(stored, 40, "new") == PartitionOffset("new", 0, 500.0, again_end=40, again_before=440.0)


def test_a_second_loss_while_the_log_is_read_again_makes_nothing_new() -> None:
    reading = {PLACE: PartitionOffset("id", 5, 100.0, again_end=20, again_before=440.0)}
    assert starts(reading, 4).again_before == 440.0
    read = {PLACE: PartitionOffset("id", 25, 600.0, again_end=20, again_before=440.0)}
    assert starts(read, 4).again_before == 540.0
