"""One shadow: its processes, where it reads from, how far it is, and taking it away."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from uncia.errors import DependencyDown, UnciaError
from uncia.kafka.broker import create_topics, existing_topics
from uncia.producers.replay.description import GENTLE
from uncia.producers.replay.log_offsets import asking
from uncia.producers.replay.workers import MARK, Workers, end_left_behind, left_behind
from uncia.serving.shadows import SHADOW_WORKER, shadow_settings
from uncia.settings import Settings, stack_dir
from uncia.storage.durable import write_durably
from uncia.topics import IMAGE_PREDICTED, UPLOAD_TOPICS

_STARTS_S = 90
_LOOK_S = 0.5


@dataclass(frozen=True)
class State:
    """How a shadow fares."""

    running: bool
    answers: int
    behind: int
    """Uploads of live that it has not answered yet."""


class Shadow:
    """The shadow of one version."""

    def __init__(self, model: str, version: str, live: Settings) -> None:
        self.name = f"{model}@{version}"
        self._live = live
        self._settings = shadow_settings(model, version, live)
        self.folder = (stack_dir() if stack_dir().is_dir() else Path(".local")) / "shadows" / self.name

    @property
    def mark(self) -> str:
        """In the environment of its processes; drawn once."""
        path = self.folder / "mark"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_durably(path, secrets.token_hex(12))
        return path.read_text(encoding="ascii")

    @property
    def group(self) -> str:
        """The consumer group of its worker."""
        return f"{self._settings.namespace}.uncia-{SHADOW_WORKER}"

    def start(self) -> bool:
        """Start it in the background, and wait until it reads; False when it runs already. Raises `UnciaError`."""
        if self._known() and left_behind(self.mark):
            return False
        create_topics(self._settings)
        self._begin_at_the_end()
        ready = self.folder / f"{SHADOW_WORKER}.ready"
        mark = self.mark
        ready.unlink(missing_ok=True)
        log = self.folder / "shadow.log"
        with log.open("ab") as out:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "uncia.producers.shadow", "run", *self.name.split("@")],
                env={**os.environ, **_stack_mark(), MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        deadline = time.monotonic() + _STARTS_S
        while not ready.exists():
            if keeper.poll() is not None or time.monotonic() > deadline:
                end_left_behind(mark)
                raise UnciaError(
                    f"the shadow of {self.name} did not start; {log} and {SHADOW_WORKER}.log beside it say why"
                )
            time.sleep(0.1)
        return True

    def run(self) -> None:
        """Keep its worker up, until SIGTERM."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        variables = {
            **GENTLE,
            "UNCIA_BACKFILL_AT_ONCE": "1",
            "UNCIA_NAMESPACE": self._settings.namespace,
            "UNCIA_MODEL": self._settings.model,
            "UNCIA_MODEL_VERSION": self._settings.model_version,
        }
        with Workers(self.folder, variables, self.mark, (SHADOW_WORKER,)) as workers:
            while not stop.wait(_LOOK_S):
                workers.look_after()

    def stop(self) -> int:
        """End its processes; how many there were. What it said stays, and to start it again goes on."""
        return end_left_behind(self.mark) if self._known() else 0

    def drop(self) -> None:
        """End it, and remove its topics, its group and its folder. Live stays."""
        self.stop()
        with asking(self._settings) as log:
            log.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def state(self) -> State:
        """How it fares. Raises `DependencyDown`."""
        running = self._known() and bool(left_behind(self.mark))
        if IMAGE_PREDICTED.full_name(self._settings) not in existing_topics(self._settings):
            return State(running, 0, 0)
        with asking(self._live) as live:
            ends = live.ends(UPLOAD_TOPICS)
        with asking(self._settings) as log:
            return State(running, log.count((IMAGE_PREDICTED,)), log.behind(UPLOAD_TOPICS, ends))

    def _known(self) -> bool:
        return (self.folder / "mark").exists()

    def _begin_at_the_end(self) -> None:
        """A group that is new reads what comes from now on; one that was there before goes on."""
        with asking(self._live) as live:
            ends = live.ends(UPLOAD_TOPICS)
        with asking(self._settings) as log:
            if self.group in log.groups():
                return
        places = {TopicPartition(*place): OffsetAndMetadata(end, "", -1) for place, end in ends.items()}
        try:
            consumer = KafkaConsumer(
                bootstrap_servers=self._live.kafka.split(","), group_id=self.group, enable_auto_commit=False
            )
            try:
                consumer.assign(list(places))
                consumer.commit(places)
            finally:
                consumer.close()
        except KafkaError as error:
            raise DependencyDown(f"Kafka at {self._live.kafka} does not answer ({type(error).__name__})") from error


def all_shadows() -> list[str]:
    """`model@version` of every shadow that was started here."""
    home = (stack_dir() if stack_dir().is_dir() else Path(".local")) / "shadows"
    return sorted(path.parent.name for path in home.glob("*@*/mark"))


def _stack_mark() -> dict[str, str]:
    """So that it ends with the embedded stack, where there is one."""
    try:
        return {
            "UNCIA_STACK_ID": json.loads((stack_dir() / "state.json").read_text())["id"],
            "UNCIA_STACK_PART": "shadow",
        }
    except (OSError, ValueError, KeyError):
        return {}
