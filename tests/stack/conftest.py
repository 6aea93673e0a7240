"""The running stack, once for the whole session, and the hands and eyes that tests need on it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.containers import ContainerStack
from tests.stack.witness import Witness
from uncia.events import BurstResolved, BurstStatus, ImagePredicted
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

QUICK = {
    "UNCIA_BURST_IDLE_S": "3",
    "UNCIA_TICK_S": "0.5",
    "UNCIA_MISSING_GRACE_S": "1",
    "UNCIA_RECONCILE_EVERY_S": "3",
    "UNCIA_RECONCILE_AFTER_S": "3",
}
"""Bursts close soon, so that no test waits long."""

STACKS: dict[str, Callable[[Path], Stack | ContainerStack]] = {"embedded": Stack, "containers": ContainerStack}
KIND = os.environ.get("UNCIA_TEST_STACK", "embedded")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the stack, and may have to wait for it to start."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.stack)
            if item.get_closest_marker("timeout") is None:
                # Containers are built and pulled within the first test's time.
                item.add_marker(pytest.mark.timeout(240 if KIND == "embedded" else 3600))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack | ContainerStack]:
    """All parts, in a folder of their own; UNCIA_TEST_STACK says of which kind."""
    folder = Path(tempfile.mkdtemp(prefix="uncia stack test "))
    models = None
    if KIND == "embedded":
        # Of its own, because tests install versions and promote them.
        models = Path(shutil.copytree(Settings().model_repository, folder / "models"))
    running = STACKS[KIND](folder / "stack")
    try:
        with stop_on_exit(running, repository=models):
            running.up(extra_env=QUICK)
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def settings(stack: Stack | ContainerStack) -> Settings:
    """Settings that lead to this stack."""
    return stack.settings()


@pytest.fixture(scope="session")
def store(settings: Settings) -> Iterator[ObjectStore]:
    """The object store, with the stack's credentials."""
    store = ObjectStore(settings)
    yield store
    store.client.close()


@pytest.fixture(scope="session")
def witness(settings: Settings) -> Iterator[Witness]:
    """Has seen all that was said on the result topics since the stack came up."""
    with Witness(settings).watching() as witness:
        yield witness


@pytest.fixture
def station() -> str:
    """A station that no other test knows."""
    return f"station-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def upload(store: ObjectStore, settings: Settings) -> Callable[[str, bytes], str]:
    """Put an object under a key, as any S3 client does; returns its etag."""

    def put(key: str, data: bytes) -> str:
        return str(store.client.put_object(Bucket=settings.bucket, Key=key, Body=data)["ETag"]).strip('"')

    return put


@pytest.fixture
def predicted(witness: Witness) -> Callable[..., ImagePredicted]:
    """The first answer to the upload under a key; waits for it."""

    def wait(key: str, limit_s: float = 30) -> ImagePredicted:
        return witness.wait_for(lambda: witness.predictions(key), limit_s, f"an answer to {key}")[0]

    return wait


@pytest.fixture
def settled(witness: Witness) -> Callable[..., list[BurstResolved]]:
    """The bursts of a camera, once there are so many and none of them is open; waits for that."""

    def wait(camera: str, count: int = 1, limit_s: float = 45) -> list[BurstResolved]:
        def all_closed() -> list[BurstResolved]:
            bursts = [burst for burst in witness.bursts(camera) if burst.status is not BurstStatus.SUPERSEDED]
            closed = [burst for burst in bursts if burst.status is not BurstStatus.PROVISIONAL]
            return closed if len(closed) == len(bursts) == count else []

        return witness.wait_for(all_closed, limit_s, f"{count} settled bursts of {camera}")

    return wait


@pytest.fixture
def wait_for(witness: Witness) -> Callable[..., object]:
    """Wait until a condition holds, and return its value."""
    return witness.wait_for


@pytest.fixture
def reconcile(stack: Stack) -> Callable[..., list[dict[str, Any]]]:
    """Run `uncia reconcile --json`; returns its lines, the counts last."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "uncia", "reconcile", "--json", *arguments],
            env={**os.environ, **stack.environment(), "UNCIA_RECONCILE_AFTER_S": "0"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run
