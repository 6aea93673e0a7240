"""`uncia channels`: the file, a trial, and the outbox, without a broker."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.processors.delivery.examples import SECRET, alert, secret_file
from tests.unit.processors.delivery.http_receiver import Answer, receiving
from uncia.commands.channels import app
from uncia.errors import UnciaError
from uncia.processors.delivery.outbox import Outbox, PartitionOffset
from uncia.processors.delivery.outbox_queue import Queued
from uncia.processors.delivery.unreadable import UnreadableAlert
from uncia.settings import settings

PLACE = ("camera.alert.raised.v1", 0)


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "outbox.sqlite"
    monkeypatch.setenv("UNCIA_DELIVERY_DATABASE", str(path))
    settings.cache_clear()
    yield path
    settings.cache_clear()


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def channels_file(folder: Path, url: str) -> Path:
    secret_file(folder)
    path = folder / "channels.yaml"
    path.write_text(
        f"channels:\n- {{name: hook, type: webhook, address: '{url}', secret_file: secret, default: true}}\n"
    )
    return path


def test_a_file_is_checked(tmp_path: Path) -> None:
    assert "1 channel, no mistake" in run("check", channels_file(tmp_path, "https://example.org/"))
    with pytest.raises(UnciaError, match="line 2, column"):
        run("check", channels_file(tmp_path, "http://example.org/"))


def test_a_channel_without_its_secret_is_shown_and_does_not_hide_the_others(tmp_path: Path, outbox: Path) -> None:
    path = channels_file(tmp_path, "https://example.org/")
    path.write_text(path.read_text() + "- {name: new, type: webhook, address: 'https://a.org/', secret_file: none}\n")
    with pytest.raises(UnciaError, match=r"line 3, column .*none cannot be read: No such file"):
        run("check", path)
    with Outbox(outbox):
        pass
    hook, new = json.loads(run("list", "--file", path, "--json"))
    assert (hook["usable"], hook["last_error"]) == (True, None)
    assert (new["usable"], new["in_file"]) == (False, True)
    assert "none cannot be read" in new["last_error"]


def test_what_was_held_back_and_what_cannot_be_read_is_shown(tmp_path: Path, outbox: Path) -> None:
    path = channels_file(tmp_path, "https://example.org/")
    unreadable = UnreadableAlert("alr-2", 1, False, (), b"{}", "this version of Uncia cannot read the event: x")
    with Outbox(outbox) as box:
        queued = [Queued("hook", alert("alr-1"), muted=True), Queued("hook", unreadable)]
        box.apply(queued, {PLACE: PartitionOffset("id", 2)})
    (row,) = json.loads(run("list", "--file", path, "--json"))
    assert (row["held_back"], row["pending"], row["dead"]) == (1, 0, 1)
    assert "alr-2:1" in run("dead")
    assert json.loads(run("dead", "--json"))[0]["state"] is None
    output = run("retry", "hook")
    assert "0 dead letters queued again" in output and "1 cannot be read by this version of Uncia" in output


def test_a_trial_is_sent_once_and_shows_no_secret(tmp_path: Path) -> None:
    with receiving(Answer(204), Answer(404)) as receiver:
        path = channels_file(tmp_path, receiver.url)
        assert run("test", "hook", "--file", path) == "hook: delivered\n"
        with pytest.raises(UnciaError, match="hook: not delivered: HTTP 404") as caught:
            run("test", "hook", "--file", path)
    assert len(receiver.requests) == 2
    assert SECRET not in str(caught.value)
    with pytest.raises(UnciaError, match="has no channel 'other'; it has: hook"):
        run("test", "other", "--file", path)


def test_the_outbox_is_shown_retried_and_cleared(tmp_path: Path, outbox: Path) -> None:
    path = channels_file(tmp_path, "https://example.org/")
    with pytest.raises(UnciaError, match="`uncia deliver` creates it"):
        run("list", "--file", path)
    with Outbox(outbox) as box:
        box.apply([Queued("old", alert("alr-1")), Queued("old", alert("alr-2"))], {PLACE: PartitionOffset("id", 2)})
        pick = box.take("old")
        assert pick is not None
        box.give_up("old", pick, "HTTP 404")
    rows = {row["channel"]: row for row in json.loads(run("list", "--file", path, "--json"))}
    assert (rows["old"]["pending"], rows["old"]["dead"], rows["old"]["in_file"]) == (1, 1, False)
    assert rows["hook"]["pending"] == 0
    assert "old (not in the file)" in run("list", "--file", path)
    assert "HTTP 404" in run("dead")
    assert json.loads(run("dead", "old", "--json"))[0]["alert_id"] == "alr-1"
    assert run("retry", "old") == "old: 1 dead letter queued again\n"
    assert run("drop", "old") == "old: 0 dead letters removed\n"
    assert run("dead") == "no dead letter\n"
