"""The dashboard on a port: the live stream of the API, the example, and the command's first start."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from tests.paths import ROOT
from tests.unit.dashboard.web.conftest import PASSWORD
from tests.unit.dashboard.web.running_server import RunningServer, environment_of
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.services import Services
from uncia.settings import Settings


@pytest.fixture
def server(services: Services) -> Iterator[RunningServer]:
    running = RunningServer(services)
    yield running
    running.stop()


def token(services: Services, stations: list[str] | None = None) -> str:
    account = services.accounts.create(f"program {stations}", None, Role.VIEWER, stations)
    return services.accounts.create_token(account.id, "test")


def read_events(
    server: RunningServer,
    secret: str,
    count: int,
    headers: dict[str, str] | None = None,
    path: str = "/events/bursts?after=0",
) -> list[tuple[str | None, dict[str, object]]]:
    """The first events of the stream: id and data."""
    request = urllib.request.Request(
        f"{server.address}{path}", headers={"Authorization": f"Bearer {secret}", **(headers or {})}
    )
    found: list[tuple[str | None, dict[str, object]]] = []
    fields: dict[str, str] = {}
    with urllib.request.urlopen(request, timeout=30) as stream:
        for raw in stream:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                found.append((fields.get("id"), json.loads(fields["data"])))
                fields = {}
            if len(found) == count:
                break
    return found


def test_the_stream_begins_where_the_client_was(server: RunningServer, services: Services) -> None:
    secret = token(services)
    everything = services.catalogue.bursts(limit=200).rows
    events = read_events(server, secret, len(everything))
    assert {data["burst_id"] for _, data in events} == {row.burst_id for row in everything}
    position = next(number for number, _ in events if number is not None)
    after = read_events(server, secret, 3, {"Last-Event-ID": position})
    first = next(at for at, (number, _) in enumerate(events) if number == position)
    assert [data for _, data in after] == [data for _, data in events[first + 1 : first + 4]]


def test_the_stream_of_a_viewer_of_one_station_has_no_other(server: RunningServer, services: Services) -> None:
    own = [row for row in services.catalogue.bursts(limit=200).rows if row.station == "ridge"]
    events = read_events(server, token(services, ["ridge"]), len(own))
    assert {data["station"] for _, data in events} == {"ridge"}


def test_the_first_start_prints_a_link_and_a_later_one_none(config: Settings, services: Services) -> None:
    environment = environment_of(config)

    def first_lines() -> list[str]:
        with subprocess.Popen(
            [sys.executable, "-m", "uncia", "dashboard"], env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("The dashboard is on"):
                    break
            process.terminate()
        return lines

    assert any("works once: http://127.0.0.1" in line for line in first_lines())
    assert services.first_link_file.read_text().startswith("http://127.0.0.1")
    assert services.first_link_file.stat().st_mode & 0o777 == 0o600
    services.accounts.create("ada", PASSWORD, Role.ADMIN)
    assert not any("works once" in line for line in first_lines())
    assert not services.first_link_file.exists()
