"""The life of one shadow: start, run, status, stop, drop."""

import json
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from uncia import child_processes
from uncia.child_processes import Mark
from uncia.errors import UnciaError
from uncia.identities import shadow_identity
from uncia.kafka.broker import create_topics, existing_topics
from uncia.kafka.connection import connect_consumer, unavailable
from uncia.namespaces import shadow_name
from uncia.producers.replay.description import LOW_PRIORITY
from uncia.producers.replay.kafka_log import connect_to_log
from uncia.producers.replay.worker_processes import MARK_VARIABLE, WorkerProcesses, end_processes, running_processes
from uncia.replay_keys import issue_keys, revoke_keys
from uncia.serving.shadows import SHADOW_WORKER, shadow_settings
from uncia.settings import Settings, stack_dir
from uncia.storage.durable import write_durably
from uncia.topics import IMAGE_PREDICTED, UPLOAD_TOPICS

_START_TIMEOUT_S = 180
_POLL_INTERVAL_S = 0.5


@dataclass(frozen=True)
class ShadowStatus:
    """The progress of a shadow. The field names are keys of `uncia models shadow status --json`."""

    running: bool
    answers: int
    """Predictions on its topic."""
    behind: int
    """Live uploads that it has not processed yet."""


class Shadow:
    """The shadow of one version of a model."""

    def __init__(self, model: str, version: str, live: Settings) -> None:
        self.name = f"{model}@{version}"
        self._live = live
        self._identity = shadow_identity(shadow_name(model, version)).name
        self._settings = shadow_settings(model, version, live)
        self.folder = _shadows_folder() / self.name

    @property
    def mark(self) -> Mark:
        """The mark of its processes; drawn when it is first read, and stored in the shadow's folder."""
        path = self._mark_path
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_durably(path, secrets.token_hex(12))
        return Mark(MARK_VARIABLE, path.read_text(encoding="ascii"))

    @property
    def _mark_path(self) -> Path:
        return self.folder / "mark"

    @property
    def group(self) -> str:
        """The consumer group of its worker."""
        return f"{self._settings.namespace}.uncia-{SHADOW_WORKER}"

    def start(self, runner: Sequence[str]) -> bool:
        """Start the shadow in the background and wait until its worker reads.

        `runner` is the command that calls `run` for this shadow. Returns False when the shadow runs already. Raises
        `UnciaError` when the worker is not ready within three minutes.
        """
        if self._was_started() and running_processes(self.mark):
            return False
        create_topics(self._settings)
        self._commit_ends_for_new_group()
        ready = self.folder / f"{SHADOW_WORKER}.ready"
        mark = self.mark
        ready.unlink(missing_ok=True)
        log_path = self.folder / "shadow.log"
        with log_path.open("ab") as log:
            process = child_processes.start(runner, {**_stack_mark(), **mark.environment}, stdout=log, stderr=log)
        if not _wait_for(ready, process):
            end_processes(mark)
            raise UnciaError(
                f"the shadow of {self.name} did not start; see {log_path} and {SHADOW_WORKER}.log next to it"
            )
        return True

    def run(self) -> None:
        """Run the worker, restarting it when it exits, until SIGTERM or SIGINT."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        variables = {
            **LOW_PRIORITY,
            "UNCIA_BACKFILL_AT_ONCE": "1",
            "UNCIA_NAMESPACE": self._settings.namespace,
            "UNCIA_MODEL": self._settings.model,
            "UNCIA_MODEL_VERSION": self._settings.model_version,
            "UNCIA_DETECTOR": self._settings.detector,
            "UNCIA_DETECTOR_VERSION": self._settings.detector_version,
            **issue_keys(self._identity, self._live),
        }
        with WorkerProcesses(self.folder, variables, self.mark, (SHADOW_WORKER,)) as workers:
            while not stop.wait(_POLL_INTERVAL_S):
                workers.restart_exited()

    def stop(self) -> int:
        """End its processes and return their number. Its predictions stay, and a later start continues."""
        return end_processes(self.mark) if self._was_started() else 0

    def drop(self) -> None:
        """Stop it, and remove its topics, its group, its key and its folder. The live system is not touched."""
        self.stop()
        with connect_to_log(self._settings) as log:
            log.remove()
        revoke_keys(self._identity, self._live)
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self) -> ShadowStatus:
        """Its progress. Raises `DependencyDown`."""
        running = self._was_started() and bool(running_processes(self.mark))
        if IMAGE_PREDICTED.full_name(self._settings) not in existing_topics(self._settings):
            return ShadowStatus(running, 0, 0)
        with connect_to_log(self._live) as live:
            ends = live.ends(UPLOAD_TOPICS)
        with connect_to_log(self._settings) as log:
            return ShadowStatus(running, log.count((IMAGE_PREDICTED,)), log.lag(UPLOAD_TOPICS, ends))

    def _was_started(self) -> bool:
        return self._mark_path.exists()

    def _commit_ends_for_new_group(self) -> None:
        """A new group reads from the topics' current ends; an existing one continues from its committed offsets."""
        with connect_to_log(self._live) as live:
            ends = live.ends(UPLOAD_TOPICS)
        with connect_to_log(self._settings) as log:
            if self.group in log.groups():
                return
        offsets = {TopicPartition(*partition): OffsetAndMetadata(end, "", -1) for partition, end in ends.items()}
        try:
            consumer = connect_consumer(self._live, group_id=self.group, enable_auto_commit=False)
            try:
                consumer.assign(list(offsets))
                consumer.commit(offsets)
            finally:
                consumer.close()
        except KafkaError as error:
            raise unavailable(self._live, error) from error


def all_shadows() -> list[str]:
    """`model@version` of every shadow that was started here and not dropped."""
    return sorted(path.parent.name for path in _shadows_folder().glob("*@*/mark"))


def _shadows_folder() -> Path:
    return (stack_dir() if stack_dir().is_dir() else Path(".local")) / "shadows"


def _wait_for(ready: Path, process: subprocess.Popen[bytes]) -> bool:
    """Whether the file appears before the process exits or the time is over."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _stack_mark() -> Mapping[str, str]:
    """The mark of the embedded stack, if there is one: the shadow then ends with the stack."""
    try:
        stack_id = json.loads((stack_dir() / "state.json").read_text())["id"]
    except (OSError, ValueError, KeyError):
        return {}
    return {"UNCIA_STACK_ID": stack_id, "UNCIA_STACK_PART": "shadow"}
