"""Rotating the keys of Triton and the stack's certificates while photographs arrive loses nothing.

Clients of this stack need the new keys afterwards, so it is not the one that other tests share.
"""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stack.conftest import QUICK
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from tests.waiting import SCALE, wait_until
from uncia.errors import DependencyDown
from uncia.infra.local.certificates import KAFKA_ADMIN
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.shared_rotation import CERTIFICATE_PARTS, TRITON_PARTS
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import existing_topics
from uncia.serving.triton_client import ModelControl, ModelHealth
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("UNCIA_TEST_STACK", "embedded") != "embedded", reason="about the embedded stack alone"
    ),
    # A client of a server that refuses it leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="uncia rotation "))
    stack = Stack(folder / "stack")
    try:
        with stop_on_exit(stack):
            stack.up(extra_env=QUICK, timeout_s=SCALE * 120)
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def uploading(settings: Settings, station: str) -> Iterator[list[str]]:
    """Upload photographs one after the other, as a gateway does, until the block ends; yields the keys stored so far.

    A photograph that the store does not take is sent again until it does.
    """
    store, stored, ended = ObjectStore(settings, timeout_s=10, attempts=1), list[str](), threading.Event()

    def work() -> None:
        while not ended.wait(0.5):
            key = f"{station}/north/{len(stored)}.jpg"
            try:
                store.put(settings.bucket, key, photograph(len(stored)), content_type="image/jpeg")
            except DependencyDown:
                continue
            stored.append(key)

    thread = threading.Thread(target=work, name="uploads")
    thread.start()
    try:
        wait_until(lambda: len(stored) > 2, 60, "uploads before the rotation")
        yield stored
        count = len(stored)
        wait_until(lambda: len(stored) > count + 2, 60, "uploads after the rotation")
    finally:
        ended.set()
        thread.join(SCALE * 30)
        store.close()


def rotate(stack: Stack, what: str) -> str:
    """Run `uncia keys rotate`; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "uncia", "keys", "rotate", what],
        env={**os.environ, "UNCIA_STACK_DIR": str(stack.folder)},
        capture_output=True,
        text=True,
        timeout=SCALE * 240,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("what", "parts"),
    [
        pytest.param("triton", TRITON_PARTS, id="triton", marks=pytest.mark.thorough),
        pytest.param("certificates", CERTIFICATE_PARTS, id="certificates", marks=pytest.mark.thorough),
    ],
)
def test_photographs_before_during_and_after_a_rotation_are_predicted_once(
    own_stack: Stack, station: str, what: str, parts: tuple[str, ...], old_is_refused: Callable[[str], None]
) -> None:
    pids = {part.name: part.pid for part in own_stack.supervised()}
    with uploading(own_stack.settings(), station) as stored:
        printed = rotate(own_stack, what)
    assert "stop for up to a minute" in printed.splitlines()[0]
    after = {part.name: part.pid for part in own_stack.supervised()}
    restarted = {name for name in pids if pids[name] != after[name]}
    assert restarted == {name for name in parts if pids.get(name)}
    assert all(name in printed.splitlines()[-1] for name in restarted)
    with ResultConsumer(own_stack.settings()).consuming() as results:
        results.wait_for(lambda: all(results.predictions(key) for key in stored), 120, "a prediction of each")
        assert [len({image.upload_id for image in results.predictions(key)}) for key in stored] == [1] * len(stored)
        assert not results.dead_letters(lambda letter: station.encode() in (letter.value or b""))
    assert all(status.healthy for status in own_stack.status() if status.pid)
    old_is_refused(what)


@pytest.fixture
def old_is_refused(own_stack: Stack, tmp_path: Path) -> Callable[[str], None]:
    """Check that what was valid before the test is refused now, and what is valid now is accepted."""
    before = own_stack.settings()
    shutil.copytree(own_stack.folder / "keys", tmp_path / "keys")

    def check(what: str) -> None:
        if what == "triton":
            assert _probe(own_stack.settings()) is ModelHealth.HEALTHY
            assert _probe(before) is not ModelHealth.HEALTHY
            return
        existing_topics(own_stack.settings())
        port = own_stack.require_identity().ports["kafka_internal"]
        _handshake(port, own_stack.folder / "keys", own_stack.folder / "keys")
        with pytest.raises(ssl.SSLError):
            _handshake(port, own_stack.folder / "keys", tmp_path / "keys")
        with pytest.raises(ssl.SSLCertVerificationError):
            _handshake(port, tmp_path / "keys", own_stack.folder / "keys")

    return check


def _probe(settings: Settings) -> ModelHealth:
    with ModelControl(settings) as control:
        return control.probe(settings.model).health


def _handshake(port: int, authority: Path, own: Path) -> None:
    """Connect to a port of Kafka that requires a certificate. Raises `ssl.SSLError` when either side refuses."""
    context = ssl.create_default_context(cafile=str(authority / "ca.pem"))
    context.load_cert_chain(own / f"{KAFKA_ADMIN}.pem", own / f"{KAFKA_ADMIN}.key")
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        # With TLS 1.3 a refusal comes after the handshake; a broker that accepts waits for a request.
        secure.settimeout(3)
        try:
            if not secure.recv(1):
                raise ssl.SSLError("the broker ended the connection")
        except TimeoutError:
            return
