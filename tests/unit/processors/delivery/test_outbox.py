"""The outbox: nothing is lost, the order of each alert is kept, and each change is sent once."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.processors.delivery.examples import alert
from uncia.events import AlertRaised, AlertState
from uncia.processors.delivery import outbox as outbox_module
from uncia.processors.delivery import outbox_limits
from uncia.processors.delivery.outbox import Outbox, PartitionOffset, Retried
from uncia.processors.delivery.outbox_queue import Pick, Queued
from uncia.processors.delivery.outbox_schema import OutboxRefused

PLACE = ("camera.alert.raised.v1", 0)
RAISED, UPDATED, WITHDRAWN = AlertState

FIRST_VERSION = """
CREATE TABLE partitions (topic TEXT NOT NULL, number INTEGER NOT NULL, topic_id TEXT NOT NULL,
    next_offset INTEGER NOT NULL, PRIMARY KEY (topic, number)) WITHOUT ROWID;
CREATE TABLE messages (sequence INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, alert_id TEXT NOT NULL,
    revision INTEGER NOT NULL, event BLOB NOT NULL, state TEXT NOT NULL, withdrawal INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, queued_at REAL NOT NULL, ended_at REAL, error TEXT,
    UNIQUE (channel, alert_id, revision));
CREATE INDEX messages_pending ON messages (channel, sequence) WHERE state = 'pending';
CREATE INDEX messages_by_state ON messages (channel, state, sequence);
CREATE TABLE alerts (channel TEXT NOT NULL, alert_id TEXT NOT NULL, last_revision INTEGER NOT NULL,
    reached INTEGER NOT NULL DEFAULT 0, remote_id TEXT, touched INTEGER NOT NULL,
    PRIMARY KEY (channel, alert_id)) WITHOUT ROWID;
CREATE INDEX alerts_by_alert ON alerts (alert_id);
CREATE INDEX alerts_by_touch ON alerts (channel, touched);
PRAGMA application_id = 0x554E4456; PRAGMA user_version = 1;
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite") as opened:
        yield opened


def queue(box: Outbox, *alerts: AlertRaised, channel: str = "one", offset: int = 1) -> set[str]:
    return box.apply([Queued(channel, one) for one in alerts], {PLACE: PartitionOffset("id", offset)})


def take(box: Outbox, channel: str = "one") -> Pick:
    pick = box.take(channel)
    assert pick is not None
    return pick


def test_messages_and_offsets_are_stored_together(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.sqlite") as box:
        assert queue(box, alert(), offset=7) == {"one"}
    with Outbox(tmp_path / "outbox.sqlite") as again:
        assert again.partitions() == {PLACE: PartitionOffset("id", 7)}
        assert take(again).alert == alert()


def test_what_was_queued_before_is_left_out(box: Outbox) -> None:
    queue(box, alert(revision=2, state=UPDATED))
    assert queue(box, alert(revision=1), alert(revision=2, state=UPDATED)) == set()
    box.delivered("one", take(box), None)
    assert queue(box, alert(revision=2, state=UPDATED)) == set()
    assert box.take("one") is None


def test_the_newest_revision_overtakes_earlier_ones(box: Outbox) -> None:
    queue(box, alert(revision=1), alert(revision=2, state=UPDATED), alert(revision=3, state=UPDATED))
    assert take(box).alert.revision == 3
    box.delivered("one", take(box), "their-id")
    assert box.take("one") is None
    queue(box, alert(revision=4, state=UPDATED))
    assert take(box).remote_id == "their-id"


def test_an_alert_that_was_withdrawn_before_it_was_sent_is_never_sent(box: Outbox) -> None:
    queue(box, alert(revision=1), alert(revision=2, state=WITHDRAWN))
    assert box.take("one") is None
    assert box.counts()["one"].pending == 0


def test_a_withdrawal_is_sent_where_an_attempt_may_have_arrived(box: Outbox) -> None:
    queue(box, alert(revision=1))
    box.failed("one", take(box), "no answer", may_have_arrived=True)
    queue(box, alert(revision=2, state=WITHDRAWN))
    assert take(box).alert.state is WITHDRAWN


def test_a_withdrawal_is_sent_where_the_process_was_killed_while_it_was_sending(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.sqlite") as box:
        queue(box, alert(revision=1))
        take(box)
    with Outbox(tmp_path / "outbox.sqlite") as again:
        queue(again, alert(revision=2, state=WITHDRAWN))
        assert take(again).reached


def test_a_withdrawal_is_not_sent_where_no_attempt_can_have_arrived(box: Outbox) -> None:
    queue(box, alert(revision=1))
    box.failed("one", take(box), "refused", may_have_arrived=False)
    queue(box, alert(revision=2, state=WITHDRAWN))
    assert box.take("one") is None


def test_a_withdrawal_cancels_for_a_channel_that_gets_none(box: Outbox) -> None:
    queue(box, alert(revision=1))
    box.failed("one", take(box), "no answer", may_have_arrived=True)
    queue(box, alert(revision=2, state=WITHDRAWN))
    assert box.take("one", states={RAISED, UPDATED}) is None
    assert box.counts()["one"].pending == 0


def test_other_alerts_go_on_while_one_waits(box: Outbox) -> None:
    queue(box, alert("alr-1"), alert("alr-2"))
    pick = box.take("one", {"alr-1"})
    assert pick is not None and pick.alert.alert_id == "alr-2"


def test_dead_letters_are_listed_queued_again_and_removed(box: Outbox) -> None:
    queue(box, alert("alr-1"), alert("alr-2"))
    for _ in range(2):
        box.give_up("one", take(box), "HTTP 404")
    assert [(one.alert_id, one.reason) for one in box.dead_letters()] == [
        ("alr-1", "HTTP 404"),
        ("alr-2", "HTTP 404"),
    ]
    assert box.retry("one", "alr-1") == Retried(1, 0)
    assert take(box).attempts == 0
    assert box.drop("one") == 1
    assert box.dead_letters() == []


def test_a_dead_letter_that_a_later_revision_followed_stays_dead(box: Outbox) -> None:
    queue(box, alert(revision=1))
    box.give_up("one", take(box), "HTTP 404")
    queue(box, alert(revision=2, state=UPDATED))
    box.delivered("one", take(box), None)
    assert box.retry("one") == Retried(0, 0)


def test_a_dead_letter_whose_alert_was_withdrawn_before_anything_arrived_stays_dead(box: Outbox) -> None:
    queue(box, alert(revision=1))
    box.give_up("one", take(box), "HTTP 401")
    queue(box, alert(revision=2, state=WITHDRAWN))
    assert box.take("one") is None
    assert box.retry("one") == Retried(0, 0)


def test_a_message_of_a_newer_version_is_a_dead_letter_and_holds_up_no_others(box: Outbox, tmp_path: Path) -> None:
    queue(box, alert("alr-1"), alert("alr-2"))
    with sqlite3.connect(tmp_path / "outbox.sqlite") as database:
        database.execute("UPDATE messages SET event = '{}' WHERE alert_id = 'alr-1'")
    database.close()
    assert take(box).alert.alert_id == "alr-2"
    assert [one.alert_id for one in box.dead_letters()] == ["alr-1"]


def test_the_oldest_message_beyond_the_limit_is_a_dead_letter(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_limits, "MOST_PENDING", 2)
    queue(box, *(alert(f"alr-{number}") for number in range(3)))
    (letter,) = box.dead_letters()
    assert letter.alert_id == "alr-0"
    assert "more than 2 messages waited" in letter.reason


def test_what_ended_long_ago_is_removed_and_what_waits_is_not(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MOST_ENDED", "MOST_ALERTS", "MOST_DEAD"):
        monkeypatch.setattr(outbox_limits, limit, 3)
    queue(box, alert("waits"))
    monkeypatch.setattr(outbox_module, "_PRUNE_EVERY", 1)
    for number in range(8):
        queue(box, alert(f"alr-{number}"))
        pick = box.take("one", {"waits"})
        assert pick is not None
        box.delivered("one", pick, None)
    assert box.counts()["one"].delivered <= 4
    assert take(box).alert.alert_id == "waits"


def test_an_outbox_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path):
        pass
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    with pytest.raises(OutboxRefused, match="newer Uncia"):
        Outbox(path)
    assert path.read_bytes() == before


def test_an_outbox_of_the_first_version_is_upgraded_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(FIRST_VERSION)
        values = ("one", "alr-1", 1, alert().to_bytes(), "pending", 0, 0, 1.0)
        columns = "channel, alert_id, revision, event, state, withdrawal, attempts, queued_at"
        database.execute(f"INSERT INTO messages ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        database.execute("INSERT INTO alerts VALUES ('one', 'alr-1', 1, 0, NULL, 1)")
        database.execute("INSERT INTO partitions VALUES (?, ?, 'id', 7)", PLACE)
    database.close()
    with Outbox(path) as box:
        place = box.partitions()[PLACE]
        assert (place.next_offset, place.again_end) == (7, 0)
        # What was read before the upgrade is older than it.
        assert abs(place.logged_at - time.time()) < 600
        assert box.holding(["alr-1"]) == {"alr-1": {"one": True}}
        assert take(box).alert == alert()
    with Outbox(path) as again:
        assert again.partitions()[PLACE] == place


def test_several_processes_may_open_a_new_outbox_at_once(tmp_path: Path) -> None:
    at_once = threading.Barrier(8)
    for number in range(5):

        def open_and_close(path: Path = tmp_path / f"{number}.sqlite") -> None:
            at_once.wait(60)
            with Outbox(path) as box:
                box.counts()

        with ThreadPoolExecutor(8) as threads:
            for result in [threads.submit(open_and_close) for _ in range(8)]:
                result.result()


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE things (name)")
    database.close()
    with pytest.raises(OutboxRefused, match="another program"):
        Outbox(path)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    with Outbox(tmp_path / "new" / "outbox.sqlite") as box:
        queue(box, alert())
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()} == {0o600}


# What can happen to two alerts of a channel: an event arrives (perhaps twice), a message is sent with one of these
# results, or the process is killed within an attempt, before or after the receiver had it.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.sampled_from("ab"), st.sampled_from(list(AlertState)), st.booleans()),
        st.tuples(st.sampled_from(["delivered", "refused", "lost", "lost answer", "killed before", "killed after"])),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_every_change_arrives_once_in_order_and_none_is_lost(tmp_path_factory: pytest.TempPathFactory, steps) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("box") / "outbox.sqlite"
    box = Outbox(path)
    newest: dict[str, AlertRaised] = {}
    received: dict[str, list[tuple[int, AlertState]]] = {"a": [], "b": []}
    confirmed: set[tuple[str, int]] = set()

    def attempt(result: str) -> bool:
        nonlocal box
        pick = box.take("one")
        if pick is None:
            return False
        event = (pick.alert.alert_id, pick.alert.revision)
        assert event not in confirmed
        if result in ("delivered", "lost answer", "killed after"):
            received[event[0]].append((event[1], pick.alert.state))
        if result == "delivered":
            confirmed.add(event)
            box.delivered("one", pick, None)
        elif result in ("lost", "lost answer"):
            box.failed("one", pick, result, may_have_arrived=True)
        elif result == "refused":
            box.failed("one", pick, result, may_have_arrived=False)
        else:
            box.__exit__()
            box = Outbox(path)
        return True

    for step in steps:
        if step[0] == "event":
            _, name, state, twice = step
            revision = newest[name].revision + 1 if name in newest else 1
            newest[name] = alert(name, revision, state)
            for _ in range(1 + twice):
                queue(box, newest[name])
        else:
            attempt(step[0])
    while attempt("delivered"):
        pass
    assert box.counts().get("one", None) is None or box.counts()["one"].pending == 0
    box.__exit__()
    for name, revisions in received.items():
        assert [one for one, _ in revisions] == sorted(one for one, _ in revisions)
        if name not in newest:
            assert not revisions
        elif newest[name].state is not AlertState.WITHDRAWN:
            # The receiver ends with what is true now.
            assert revisions[-1] == (newest[name].revision, newest[name].state)
        else:
            # Either it was told of the withdrawal, or it never heard of the alert.
            assert not revisions or revisions[-1][1] is AlertState.WITHDRAWN
