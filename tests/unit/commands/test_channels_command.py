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
from uncia.processors.delivery.outbox import Outbox, PartitionOffset, Queued
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
