"""The file of alert rules as the dashboard edits it: nothing wrong or unseen is written, nothing is lost."""

import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.processors.alerts.builders import burst
from uncia.commands import dashboard_alert_rules, past_alerts
from uncia.commands.dashboard_alert_rules import FileAlertRules
from uncia.errors import UnciaError
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.storage.durable import write_durably

RULES = """rules:
  - name: leopard
    taxon: Panthera uncia
    max_age: any
"""
WRONG = RULES + "    severity: urgent\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    path.chmod(0o640)
    return path


@pytest.fixture
def rules(path: Path) -> FileAlertRules:
    return FileAlertRules(Settings(_env_file=None, alert_rules=path))


def test_mistakes_are_named_by_line_and_column(rules: FileAlertRules) -> None:
    assert rules.check(RULES).rules == 1
    (mistake,) = rules.check(WRONG).mistakes
    assert (mistake.line, mistake.column) == (5, 15)
    assert "info, warning, critical" in mistake.text
    (warning,) = rules.check(RULES.replace("Panthera uncia", "Panthera unica")).warnings
    assert "did you mean 'Panthera uncia'" in warning.text


def test_a_file_is_replaced_and_its_last_five_versions_stay(rules: FileAlertRules, path: Path) -> None:
    for number in range(7):
        shown = rules.read()
        after = rules.save(f"{RULES}# {number}\n", shown.fingerprint)
        assert rules.read().fingerprint == after
    assert path.read_text() == f"{RULES}# 6\n"
    assert path.stat().st_mode & 0o777 == 0o640
    kept = {one.name: one.read_text().rsplit("# ")[-1].strip() for one in path.parent.glob("rules.yaml.*")}
    assert kept == {f"rules.yaml.{number}": str(6 - number) for number in range(1, 6)}


def test_a_file_that_has_changed_is_not_overwritten(rules: FileAlertRules, path: Path) -> None:
    shown = rules.read()
    path.write_text(RULES + "# by hand\n")
    with pytest.raises(UnciaError, match="changed since the page was shown"):
        rules.save(RULES + "# mine\n", shown.fingerprint)
    assert path.read_text() == RULES + "# by hand\n"
    assert list(path.parent.glob("rules.yaml.*")) == []


def test_a_text_with_a_mistake_is_not_saved(rules: FileAlertRules, path: Path) -> None:
    with pytest.raises(UnciaError, match="has a mistake"):
        rules.save(WRONG, rules.read().fingerprint)
    assert path.read_text() == RULES


def test_of_two_who_save_at_once_one_is_refused(rules: FileAlertRules) -> None:
    shown = rules.read().fingerprint
    refused: list[str] = []
    begin = threading.Barrier(2)

    def save(who: str) -> None:
        begin.wait(20)
        try:
            rules.save(f"{RULES}# {who}\n", shown)
        except UnciaError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=save, args=(who,)) for who in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(refused) == 1


def test_a_file_that_cannot_be_written_is_a_sentence(
    rules: FileAlertRules, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(dashboard_alert_rules, "write_durably", refuse)
    with pytest.raises(UnciaError, match=r"Read-only file system.*mounted read-only"):
        rules.save(RULES + "# 2\n", rules.read().fingerprint)
    assert path.read_text() == RULES


def test_without_a_setting_and_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(UnciaError, match="UNCIA_ALERT_RULES"):
        FileAlertRules(Settings(_env_file=None)).read()
    missing = FileAlertRules(Settings(_env_file=None, alert_rules=tmp_path / "none.yaml"))
    assert missing.read().text == ""
    missing.save(RULES, missing.read().fingerprint)
    assert missing.read().text == RULES


def messages(*_: object, **__: object) -> list[Message]:
    now = round(1000 * datetime.now(UTC).timestamp())
    return [Message("t", 0, at, now, b"k", burst(f"bst-{at}", minute=100 * at).to_bytes(), []) for at in range(3)]


def test_a_preview_counts_what_the_rules_would_have_raised(
    rules: FileAlertRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_alerts, "read_topics", messages)
    found = rules.preview(RULES + "  - {name: people, category: person}\n", 30)
    assert dict(found.counts) == {"leopard": found.total, "people": 0}
    assert found.total >= 1
    assert found.newest[0].burst_id is not None


def test_a_preview_ends_in_time_and_only_one_runs(rules: FileAlertRules, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, second = threading.Event(), []

    def endless(*_: object, stop: threading.Event, **__: object) -> Any:
        reading.set()
        assert stop.wait(20)
        return iter(())

    monkeypatch.setattr(past_alerts, "read_topics", endless)
    monkeypatch.setattr(dashboard_alert_rules, "_PREVIEW_S", 1.0)

    def preview() -> None:
        try:
            rules.preview(RULES, 30)
        except UnciaError as error:
            second.append(str(error))

    first = threading.Thread(target=preview)
    first.start()
    assert reading.wait(20)
    with pytest.raises(UnciaError, match="another preview is running"):
        rules.preview(RULES, 30)
    first.join(20)
    assert "uncia alerts test" in second[0]


def test_an_empty_text_is_a_mistake_that_says_how_to_remove_all_rules(rules: FileAlertRules, path: Path) -> None:
    (mistake,) = rules.check(" \n").mistakes
    assert "write `rules: []`" in mistake.text
    with pytest.raises(UnciaError, match="has a mistake"):
        rules.save("\n", rules.read().fingerprint)
    assert path.read_text() == RULES


def test_a_link_stays_and_the_file_behind_it_is_replaced(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    linked = FileAlertRules(Settings(_env_file=None, alert_rules=link))
    linked.save(RULES + "# 2\n", linked.read().fingerprint)
    assert link.is_symlink()
    assert path.read_text() == RULES + "# 2\n"


def test_saves_that_fail_leave_the_kept_versions(
    rules: FileAlertRules, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules.save(RULES + "# 2\n", rules.read().fingerprint)
    write = write_durably

    def refuse(target: Path, *arguments: Any, **options: Any) -> None:
        if target == path:
            raise OSError(16, os.strerror(16))
        write(target, *arguments, **options)

    monkeypatch.setattr(dashboard_alert_rules, "write_durably", refuse)
    for number in range(5):
        with pytest.raises(UnciaError, match="cannot be written"):
            rules.save(f"{RULES}# {number + 3}\n", rules.read().fingerprint)
    kept = [path.with_name(f"rules.yaml.{number}").read_text() for number in (1, 2)]
    assert kept == [RULES + "# 2\n", RULES]
