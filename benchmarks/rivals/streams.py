"""Uncia and the Bytewax dataflow on the embedded stack: from the first PUT to the last burst, at full speed."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafka import TopicPartition
from kafka.admin import NewTopic

from benchmarks.end_to_end import GENERATOR, OTHERS, EndToEnd
from benchmarks.figures import cpu_between
from benchmarks.processes import sample
from benchmarks.results_consumer import consume_results
from benchmarks.rivals.burst_files import FRAMES, BurstFiles
from benchmarks.rivals.environments import BYTEWAX
from benchmarks.rivals.measured_process import Measured, background, tree_cpu
from benchmarks.third_party_classifier import export_classifier
from benchmarks.upload_plan import plan_bursts
from benchmarks.uploads import Uploader
from uncia.errors import DependencyDown, UnciaError
from uncia.infra.local.lifetime import changed_environment, stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.kafka.connection import connect_admin, connect_consumer
from uncia.settings import Settings
from uncia.topics import IMAGE_BACKFILLED, IMAGE_UPLOADED

CLASSIFIER = "rival_classifier"
_CAMERAS = 8
_MEANS = "rival.burst.means"
_PARTITIONS = 4
_TIMEOUT_S = 120

_THE_SAME_WORK = {
    "UNCIA_MODEL": CLASSIFIER,
    "UNCIA_DETECTOR": "",
    "UNCIA_CROPS_PER_BURST": "0",
    "UNCIA_SECOND_LOOKS_PER_HOUR": "0",
    "UNCIA_EXPLANATIONS_PER_HOUR": "0",
}
"""Settings with which Uncia does what the others do: it classifies whole frames."""


def import_classifier(folder: Path) -> Path:
    """Export the classifier, and import it into a model repository in `folder`. Returns the ONNX file."""
    folder.mkdir(parents=True, exist_ok=True)
    graph, description = export_classifier(folder, CLASSIFIER)
    repository = folder / "repository"
    if not (repository / CLASSIFIER).is_dir():
        repository.mkdir(exist_ok=True)
        arguments = ["models", "import", str(graph), "--description", str(description)]
        done = subprocess.run(
            [sys.executable, "-m", "uncia", *arguments],
            env={**os.environ, "UNCIA_MODEL_REPOSITORY": str(repository)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UnciaError(f"uncia {' '.join(arguments)}: {done.stderr[-500:]}")
    return graph


@contextlib.contextmanager
def running_stack(folder: Path, parts: tuple[str, ...] | None) -> Iterator[Stack]:
    """A new stack that serves the imported classifier, without anything that the other programs do not do."""
    stack = Stack(folder / "stack")
    shutil.rmtree(stack.folder, ignore_errors=True)
    with changed_environment(_THE_SAME_WORK), stop_on_exit(stack, repository=folder / "repository"):
        stack.up(parts)
        yield stack
    shutil.rmtree(stack.folder, ignore_errors=True)


def measure_uncia(folder: Path, bursts: BurstFiles, images: int) -> tuple[Measured, dict[str, float]]:
    """PUT to final verdict, and CPU milliseconds a photograph by part."""
    with running_stack(folder, None) as stack, consume_results(stack.settings()) as answers:
        uploader = Uploader(stack.settings(), bursts)
        stream = EndToEnd(uploader, answers, stack.require_identity().stack_id, _CAMERAS, FRAMES)
        stream.full_speed(_CAMERAS * FRAMES)
        measured = stream.full_speed(images)
        if answers.rejected or answers.dead_letters:
            raise UnciaError(f"{len(answers.rejected)} photographs were rejected, {answers.dead_letters} dead letters")
    ours = {part: s for part, s in measured.cpu_s_per_image.items() if part not in (GENERATOR, OTHERS)}
    total = Measured(measured.images, measured.images / measured.images_per_s, sum(ours.values()) * measured.images)
    return total, {part: 1000 * seconds for part, seconds in ours.items()}


def measure_bytewax(folder: Path, bursts: BurstFiles, images: int, graph: Path, cores: int) -> Measured:
    """PUT to the mean of the last burst, with Kafka, store and intake of the stack, and the dataflow."""
    with running_stack(folder, ("intake",)) as stack:
        admin, stack_id = stack.admin_settings(), stack.require_identity().stack_id
        _create_topic(admin)
        command: list[str | Path] = [BYTEWAX.python, "-m", "bytewax.run", "bytewax_flow:flow", "-w", str(cores)]
        log = folder / "bytewax.log"
        with background(command, log, _flow_environment(stack, graph)) as pid, _means(admin) as means:
            uploader = Uploader(stack.settings(), bursts)
            # A whole group of cameras, as for Uncia: both have loaded the model before the measurement.
            uploader.send(uploader.sign(plan_bursts(0, _CAMERAS, _CAMERAS, FRAMES)))
            _wait_for(means, _CAMERAS, log)
            puts = uploader.sign(plan_bursts(_CAMERAS, images // FRAMES, _CAMERAS, FRAMES))
            before, used = sample(stack_id), tree_cpu(pid)
            began = time.perf_counter()
            uploader.send(puts)
            _wait_for(means, images // FRAMES, log)
            seconds = time.perf_counter() - began
            used = tree_cpu(pid) - used + sum(cpu_between(before.cpu, sample(stack_id).cpu).values())
    return Measured(images, seconds, used)


def _create_topic(admin: Settings) -> None:
    client = connect_admin(admin)
    try:
        client.create_topics([NewTopic(_MEANS, _PARTITIONS, 1)])
    finally:
        client.close()


def _flow_environment(stack: Stack, graph: Path) -> dict[str, str]:
    """The environment of the dataflow. It signs in as the administrator, since no identity has its topic."""
    admin = stack.admin_settings()
    assert admin.s3_access_key and admin.s3_secret_key
    where: dict[str, Any] = {
        "graph": str(graph),
        "brokers": [admin.kafka],
        "uploads": [topic.full_name(admin) for topic in (IMAGE_UPLOADED, IMAGE_BACKFILLED)],
        "means": _MEANS,
        "bucket": admin.bucket,
        "store": {
            "endpoint_url": admin.s3_endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": admin.s3_access_key,
            "aws_secret_access_key": admin.s3_secret_key.get_secret_value(),
        },
        "kafka": {
            "security.protocol": admin.kafka_security_protocol,
            "ssl.ca.location": str(admin.kafka_cafile),
            "ssl.certificate.location": str(admin.kafka_certfile),
            "ssl.key.location": str(admin.kafka_keyfile),
        },
    }
    own = {"UNCIA_RIVAL": json.dumps(where), "PYTHONPATH": str(Path(__file__).parent)}
    return {"PATH": os.environ["PATH"], **own}


@contextlib.contextmanager
def _means(admin: Settings) -> Iterator[Any]:
    consumer = connect_consumer(admin, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        consumer.assign([TopicPartition(_MEANS, number) for number in range(_PARTITIONS)])
        consumer.seek_to_beginning()
        yield consumer
    finally:
        consumer.close()


def _wait_for(consumer: Any, bursts: int, log: Path) -> None:
    """Wait for the means of so many complete bursts. Raises `DependencyDown` without progress."""
    seen, changed_at = 0, time.monotonic()
    while seen < bursts:
        for messages in consumer.poll(500).values():
            for message in messages:
                if (frames := json.loads(message.value)["frames"]) != FRAMES:
                    raise UnciaError(f"Bytewax closed a burst of {frames} frames")
                seen, changed_at = seen + 1, time.monotonic()
        if time.monotonic() - changed_at > _TIMEOUT_S:
            raise DependencyDown(f"{seen} of {bursts} bursts: {log.read_text(errors='replace')[-2000:]}")
