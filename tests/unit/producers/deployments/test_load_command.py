"""`uncia deployments` on a topic in memory."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uncia.commands import deployments as command
from uncia.events import DeploymentChanged, deployment_key
from uncia.producers.deployments import topic

ROWS = """\
deploymentID,locationID,cameraID,latitude,longitude,deploymentStart,deploymentEnd,sensitivity
d1,ridge,north,28.21347,83.98712,2026-03-01T09:00:00+05:45,2026-06-01T09:00:00+05:45,low
d2,ridge,south,28.31347,83.88712,2026-03-01T09:00:00+05:45,,
"""
BAD = "d3,ridge,east,28.2,83.9,2026-03-01T09:00:00,,\n"


class Log:
    """A topic in memory."""

    def __init__(self) -> None:
        self.known: dict[bytes, DeploymentChanged] = {}
        self.sent: list[str] = []

    def publish(self, _: object, deployments: Iterable[DeploymentChanged]) -> None:
        for item in deployments:
            self.known[item.message_key] = item
            self.sent.append(item.deployment_id)

    def publish_removal(self, _: object, camera: str, deployment_id: str) -> None:
        del self.known[deployment_key(camera, deployment_id)]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr(command, "known_deployments", lambda _: dict(log.known))
    monkeypatch.setattr(command, "publish_deployments", log.publish)
    monkeypatch.setattr(command, "publish_removal", log.publish_removal)
    return log


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "deployments.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command.app, [str(item) for item in arguments])
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def test_loading_a_file_repeatedly_publishes_it_once(log: Log, file: Path) -> None:
    assert "published=2 unchanged=0" in run("load", file)[1]
    assert "published=0 unchanged=2" in run("load", file)[1]
    assert log.sent == ["d1", "d2"]


def test_changed_rows_are_published_again(log: Log, file: Path) -> None:
    run("load", file)
    file.write_text(ROWS.replace(",low", ",medium"), encoding="utf-8")
    run("load", file)
    assert log.sent == ["d1", "d2", "d1"]


def test_the_same_moment_in_another_offset_is_a_change(log: Log, file: Path) -> None:
    run("load", file)
    file.write_text(ROWS.replace("2026-06-01T09:00:00+05:45", "2026-06-01T03:15:00Z"), encoding="utf-8")
    run("load", file)
    assert log.sent == ["d1", "d2", "d1"]


def test_an_invalid_row_prevents_publishing(log: Log, file: Path) -> None:
    file.write_text(ROWS + BAD, encoding="utf-8")
    status, output = run("load", file)
    assert status != 0
    assert "line 4 (d3): deploymentStart '2026-03-01T09:00:00' lacks its offset" in output
    assert "nothing was published" in output
    assert log.sent == []


def test_invalid_rows_can_be_skipped(log: Log, file: Path) -> None:
    file.write_text(ROWS + BAD, encoding="utf-8")
    assert run("load", file, "--skip-bad")[0] == 0
    assert log.sent == ["d1", "d2"]


def test_a_check_publishes_nothing(log: Log, file: Path) -> None:
    assert "good=2 published=0" in run("load", file, "--check")[1]
    assert log.sent == []


def test_a_script_gets_the_problems_as_json(log: Log, file: Path) -> None:
    file.write_text(ROWS + BAD, encoding="utf-8")
    status, output = run("load", file, "--json")
    problems = json.loads(output.splitlines()[0])["problems"]
    assert [(item["line"], item["deployment_id"]) for item in problems] == [(4, "d3")]
    assert status != 0


def test_the_list_rounds_positions_by_sensitivity(log: Log, file: Path) -> None:
    run("load", file)
    output = run("list")[1]
    assert "28.21, 83.99" in output
    assert "withheld" in output
    assert "28.21347" not in output
    assert "28.3" not in output


def test_the_json_list_rounds_positions_too(log: Log, file: Path) -> None:
    run("load", file)
    listed = {item["deployment_id"]: item for item in json.loads(run("list", "--json")[1])}
    assert listed["d1"]["latitude"] == 28.21
    assert listed["d2"]["latitude"] is None


def test_exact_positions_are_shown_on_request(log: Log, file: Path) -> None:
    run("load", file)
    assert "28.31347" in run("list", "--exact")[1]


def test_a_deployment_is_removed(log: Log, file: Path) -> None:
    run("load", file)
    run("remove", "ridge/north", "d1")
    assert [item.deployment_id for item in log.known.values()] == ["d2"]
    assert "no deployment 'd1'" in run("remove", "ridge/north", "d1")[1]


def test_a_corrected_camera_gives_a_hint(log: Log, file: Path) -> None:
    run("load", file)
    file.write_text(ROWS.replace("north", "top"), encoding="utf-8")
    assert "uncia deployments remove 'ridge/north' 'd1'" in run("load", file)[1]


def test_publishing_nothing_needs_no_broker() -> None:
    topic.publish_deployments(None, [])  # type: ignore[arg-type]
