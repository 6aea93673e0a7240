"""The running stack, once per session, and fixtures to upload to it and to observe its results."""

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

import pluggy
import pytest

from tests.stack.containers import ContainerStack
from tests.stack.dashboard_client import Browser, SignIn, follow_link
from tests.stack.failure_report import describe_stack
from tests.stack.result_consumer import JUNK_HEADER, RefusedMessage, ResultConsumer
from tests.waiting import SCALE
from uncia.events import BurstResolved, BurstStatus, ImagePredicted
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.kafka.connection import connect_producer
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

QUICK = {
    "UNCIA_BURST_IDLE_S": "3",
    "UNCIA_TICK_S": "0.5",
    "UNCIA_MISSING_GRACE_S": "1",
    "UNCIA_RECONCILE_EVERY_S": "3",
    "UNCIA_RECONCILE_AFTER_S": "3",
    "UNCIA_SECOND_LOOKS_PER_HOUR": "0",
}
"""Settings with which bursts close within seconds, and only a test's own second looks revise them."""

STACKS: dict[str, Callable[[Path], Stack | ContainerStack]] = {"embedded": Stack, "containers": ContainerStack}
Send = Callable[..., None]
KIND = os.environ.get("UNCIA_TEST_STACK", "embedded")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, with a time limit that includes the start of the stack on a busy machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.stack)
            if item.get_closest_marker("timeout") is None:
                # Containers are built and pulled within the time of the first test.
                item.add_marker(pytest.mark.timeout(1200 if KIND == "embedded" else 3600))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the state of the stack to the report of a failed test."""
    outcome: pluggy.Result[pytest.TestReport] = yield  # type: ignore[assignment]
    report = outcome.get_result()
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("The stack", describe_stack(stack)))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack | ContainerStack]:
    """A stack with all parts in a temporary folder; UNCIA_TEST_STACK selects its kind."""
    folder = Path(tempfile.mkdtemp(prefix="uncia stack test "))
    models = None
    if KIND == "embedded":
        # A copy, because tests install and promote versions.
        models = Path(shutil.copytree(Settings().model_repository, folder / "models"))
    running = STACKS[KIND](folder / "stack")
    try:
        with stop_on_exit(running, repository=models):
            running.up(extra_env=QUICK, timeout_s=SCALE * 120)
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def settings(stack: Stack | ContainerStack) -> Settings:
    """Settings that connect to this stack."""
    return stack.settings()


@pytest.fixture(scope="session")
def store(settings: Settings) -> Iterator[ObjectStore]:
    """The object store, with the operator's credentials."""
    store = ObjectStore(settings)
    yield store
    store.client.close()


@pytest.fixture(scope="session")
def admin_settings(stack: Stack | ContainerStack) -> Settings:
    """Settings of an administrator, who may delete objects, change buckets, and write to every topic as any part."""
    return stack.admin_settings()


@pytest.fixture(scope="session")
def admin_store(admin_settings: Settings) -> Iterator[ObjectStore]:
    """The object store, with its administrative key."""
    store = ObjectStore(admin_settings)
    yield store
    store.client.close()


@pytest.fixture(scope="session")
def results(settings: Settings) -> Iterator[ResultConsumer]:
    """Everything on the result topics since the stack was started."""
    with ResultConsumer(settings).consuming() as results:
        yield results


@pytest.fixture
def station() -> str:
    """A station that no other test uses."""
    return f"station-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def sign_in(stack: Stack | ContainerStack) -> Iterator[SignIn]:
    """Create an account of a role in the stack's dashboard, and sign in to it."""
    browsers: list[Browser] = []

    def follow(role: str, name: str) -> Browser:
        browsers.append(follow_link({**stack.environment(), "UNCIA_STACK_DIR": str(stack.folder)}, role, name))
        return browsers[-1]

    yield follow
    for browser in browsers:
        browser.close()


@pytest.fixture
def upload(store: ObjectStore, settings: Settings) -> Callable[[str, bytes], str]:
    """Upload an object with any S3 client's PUT; returns its etag."""

    def put(key: str, data: bytes) -> str:
        return str(store.client.put_object(Bucket=settings.bucket, Key=key, Body=data)["ETag"]).strip('"')

    return put


@pytest.fixture
def predicted(results: ResultConsumer) -> Callable[..., ImagePredicted]:
    """Wait for the first prediction or rejection of the upload with this key, and return it."""

    def wait(key: str, limit_s: float = 30) -> ImagePredicted:
        return results.wait_for(lambda: results.predictions(key), limit_s, f"a prediction of {key}")[0]

    return wait


@pytest.fixture
def settled(results: ResultConsumer) -> Callable[..., list[BurstResolved]]:
    """Wait until a camera has exactly `count` bursts, none of them provisional, and return them."""

    def wait(camera: str, count: int = 1, limit_s: float = 120) -> list[BurstResolved]:
        def all_closed() -> list[BurstResolved]:
            bursts = [burst for burst in results.bursts(camera) if burst.status is not BurstStatus.SUPERSEDED]
            closed = [burst for burst in bursts if burst.status is not BurstStatus.PROVISIONAL]
            return closed if len(closed) == len(bursts) == count else []

        return results.wait_for(all_closed, limit_s, f"{count} settled bursts of {camera}")

    return wait


@pytest.fixture
def wait_for(results: ResultConsumer) -> Callable[..., object]:
    """Wait until a condition is true, and return its value."""
    return results.wait_for


@pytest.fixture
def reconcile(stack: Stack) -> Callable[..., list[dict[str, Any]]]:
    """Run `uncia reconcile --json` and return its decoded lines; the counts are last."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "uncia", "reconcile", "--json", *arguments],
            env={**os.environ, **stack.environment(), "UNCIA_RECONCILE_AFTER_S": "0"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture(scope="session")
def send(admin_settings: Settings) -> Send:
    """Produce a message to a topic, marked as one that `results` must ignore."""

    def put(topic: str, value: bytes | None, key: bytes | None = None, **headers: bytes | None) -> None:
        producer = connect_producer(admin_settings, max_request_size=5_000_000)
        try:
            producer.send(topic, key=key, value=value, headers=[*headers.items(), (JUNK_HEADER, b"1")]).get(600)
        finally:
            producer.close()

    return put


@pytest.fixture
def dead_letter(results: ResultConsumer) -> Callable[[Callable[[RefusedMessage], bool]], RefusedMessage]:
    """Wait for the dead letter that matches, and return it."""

    def wait(matching: Callable[[RefusedMessage], bool]) -> RefusedMessage:
        return results.wait_for(lambda: results.dead_letters(matching), 60, "a dead letter")[0]

    return wait
