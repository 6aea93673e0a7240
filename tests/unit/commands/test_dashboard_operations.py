"""What the page of operations does through producers and Triton's repository, without Kafka and Triton."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import pytest

from tests.packages import write_package
from tests.unit.producers.dead_letters.test_dead_letters import letter
from tests.unit.producers.replay.builders import NOW, burst, compare
from uncia.commands import dashboard_operations, dashboard_replays
from uncia.commands.dashboard_models import RepositoryModels
from uncia.commands.dashboard_operations import TopicDeadLetters
from uncia.commands.dashboard_replays import StoredReplays
from uncia.errors import DependencyDown, PermanentError, SettingsError, UnciaError
from uncia.events import BurstResolved, DeadLetterSettled, Settlement
from uncia.producers.dead_letters.reading import DeadLetterFilter, DeadLetterRecord, Settlements
from uncia.producers.dead_letters.settlement import SettlementResult
from uncia.producers.replay.description import Replay, ReplayPlan
from uncia.producers.replay.snapshot_reader import LiveComparison
from uncia.serving import triton_client
from uncia.serving.model_versions import read_version_state
from uncia.serving.triton_client import ModelHealth, ProbeResult, ServedVersion
from uncia.settings import Settings
from uncia.triton_models.releases.installation import install

SETTINGS = Settings(_env_file=None)


@dataclass
class Topics:
    """The bursts of both sides of every replay, and what was published."""

    live: list[BurstResolved] = field(default_factory=lambda: [burst("ab", "goat"), burst("cd", "goat", closed_at=NOW)])
    replay: list[BurstResolved] = field(default_factory=lambda: [burst("ab", "cat"), burst("cd", "cat")])
    published: list[BurstResolved] = field(default_factory=list)
    read: int = 0

    def compare(self, replay: Replay, live: Settings) -> LiveComparison:
        self.read += 1
        return LiveComparison(compare(self.live, self.replay), {"bst-a": 2, "bst-c": 2})


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Topics:
    monkeypatch.setenv("UNCIA_STACK_DIR", str(tmp_path))
    topics = Topics()
    monkeypatch.setattr(dashboard_replays, "compare_with_live", topics.compare)
    monkeypatch.setattr(dashboard_replays, "publish_live", lambda events, live: topics.published.extend(events))
    return topics


def stored(**changes: object) -> Replay:
    replay = Replay.create("trial", ReplayPlan(model="m", model_version="2"), {}).model_copy(update=changes)
    replay.save()
    return replay


def test_the_page_and_its_twins_share_one_comparison(topics: Topics) -> None:
    stored(completed_at=NOW)
    replays = StoredReplays(SETTINGS)
    assert [row.state for row in replays.list()] == ["done"]
    assert replays.compare("trial").body["to_promote"] == 1
    assert replays.compare("trial") is replays.compare("trial")
    assert topics.read == 1


def test_a_promoted_burst_names_the_replay_and_who_promoted_it(topics: Topics) -> None:
    stored(completed_at=NOW)
    replays = StoredReplays(SETTINGS)
    promoted = replays.promote("trial", replays.compare("trial").fingerprint, "ada")
    assert (promoted.changes, promoted.events) == (1, 1)
    (event,) = topics.published
    assert event.changes[0] == "replay trial with m@2, promoted by ada"
    # The next comparison is a new one.
    replays.compare("trial")
    assert topics.read == 3


def test_differences_that_nobody_has_seen_are_not_published(topics: Topics) -> None:
    stored(completed_at=NOW)
    replays = StoredReplays(SETTINGS)
    seen = replays.compare("trial").fingerprint
    topics.live[0] = burst("ab", "sheep", revision=3)
    with pytest.raises(UnciaError, match="have changed"):
        replays.promote("trial", seen, "ada")
    assert topics.published == []


def test_an_incomplete_or_running_replay_is_not_promoted(topics: Topics) -> None:
    replay = stored()
    replays = StoredReplays(SETTINGS)
    seen = replays.compare("trial").fingerprint
    assert replays.row("trial").state == "stopped"
    with pytest.raises(UnciaError, match="not complete"):
        replays.promote("trial", seen, "ada")
    stored(completed_at=NOW)
    with replay.locked():
        assert replays.row("trial").state == "running"
        for action in (lambda: replays.promote("trial", seen, "ada"), lambda: replays.drop("trial")):
            with pytest.raises(UnciaError, match="another command"):
                action()
    assert topics.published == []


def test_an_unknown_replay_is_not_found(topics: Topics) -> None:
    with pytest.raises(PermanentError):
        StoredReplays(SETTINGS).row("other")
    with pytest.raises(SettingsError):
        StoredReplays(SETTINGS).row("../other")


class Settler:
    """Stands for the producer of settlements; refuses letter 0:18."""

    def __init__(self, settings: Settings, settled_by: str | None = None) -> None:
        self.account = settled_by

    def __enter__(self) -> "Settler":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def retry(self, letters: Iterable[DeadLetterRecord]) -> Iterator[SettlementResult]:
        assert self.account == "ada"
        for one in letters:
            yield SettlementResult(one, None, "it is truncated" if one.id == "0:18" else "")


def test_each_letter_that_was_not_retried_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [letter(at=f"0:{offset}") for offset in (17, 18, 19)]
    settlements = Settlements()
    settlements.add(
        DeadLetterSettled(
            letter="0:19",
            written_at=letters[2].written_at,
            settlement=Settlement.DROPPED,
            settled_at=datetime(2026, 6, 1, tzinfo=UTC),
            settled_by="grace",
        )
    )

    def read(settings: Settings, chosen: DeadLetterFilter) -> Iterator[DeadLetterRecord]:
        return (one for one in letters if chosen.matches(one))

    monkeypatch.setattr(dashboard_operations, "read_dead_letters", read)
    monkeypatch.setattr(dashboard_operations, "read_settlements", lambda settings: settlements)
    monkeypatch.setattr(dashboard_operations, "DeadLetterSettler", Settler)
    topic = TopicDeadLetters(SETTINGS)
    assert [row.id for row in topic.open(10)] == ["0:17", "0:18"]
    assert topic.open(10, stage="predict") == []
    assert topic.retry(["0:17", "0:18", "0:19"], "ada") == [
        "0:18: it is truncated",
        "0:19: it is not open any more",
    ]
    assert topic.show("0:19").settled == "dropped by grace, 2026-06-01 00:00:00 UTC"
    assert "garbage" in topic.show("0:17").text
    with pytest.raises(PermanentError):
        topic.show("0:20")


class Control:
    """Stands for Triton: it serves what it was told to load, or does not respond."""

    down = False

    def __init__(self, settings: Settings) -> None:
        pass

    def __enter__(self) -> "Control":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def list_served(self) -> list[ServedVersion]:
        if Control.down:
            raise DependencyDown("Triton does not answer")
        return [ServedVersion("tiny", "1", "READY", "")]

    def load(self, model: str, *, timeout_s: float = 60) -> None:
        if Control.down:
            raise DependencyDown("Triton does not answer")

    def probe(self, model: str, version: str = "") -> ProbeResult:
        return ProbeResult(ModelHealth.DEAD if Control.down else ModelHealth.HEALTHY, "")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RepositoryModels:
    """`tiny` with versions 1, which is live, and 2."""
    for number in (1, 2):
        write_package(tmp_path / f"package{number}", seed=number, classes=3)
        install(tmp_path / f"package{number}", tmp_path / "repository")
    monkeypatch.setattr(triton_client, "ModelControl", Control)
    monkeypatch.setattr(Control, "down", False)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return RepositoryModels(Settings(_env_file=None, model="tiny", model_repository=tmp_path / "repository"))


def test_a_version_is_promoted_and_rolled_back(models: RepositoryModels, tmp_path: Path) -> None:
    before = models.list()
    assert [(row.version, row.role, row.in_stream, row.state) for row in before.versions] == [
        ("1", "live", True, "READY"),
        ("2", "installed", False, ""),
    ]
    models.make_live("tiny", "2", live="1")
    assert [row.role for row in models.list().versions] == ["previous", "live"]
    with pytest.raises(UnciaError, match="is live meanwhile"):
        models.make_live("tiny", "2", live="1")
    models.make_live("tiny", "1", live="2")
    assert read_version_state(tmp_path / "repository" / "tiny").live == "1"


def test_without_triton_versions_are_listed_and_none_is_promoted(models: RepositoryModels, tmp_path: Path) -> None:
    Control.down = True
    listed = models.list()
    assert listed.problem == "Triton does not answer"
    assert [row.version for row in listed.versions] == ["1", "2"]
    with pytest.raises(UnciaError, match="stays live"):
        models.make_live("tiny", "2", live="1")
    assert read_version_state(tmp_path / "repository" / "tiny").live == "1"


@pytest.mark.parametrize(("model", "version"), [("other", "1"), ("../tiny", "1"), ("tiny", "9"), ("tiny", "../1")])
def test_only_installed_versions_are_promoted(models: RepositoryModels, model: str, version: str) -> None:
    with pytest.raises(SettingsError):
        models.make_live(model, version, live="1")


def test_a_machine_without_a_repository_says_so(tmp_path: Path) -> None:
    listed = RepositoryModels(Settings(_env_file=None, model_repository=tmp_path / "none")).list()
    assert listed.versions == ()
    assert "no model" in str(listed.problem)
