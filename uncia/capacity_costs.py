"""What a photograph costs at each stage: measured where a source is named, else assumed. Input of `uncia.capacity`."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["BURSTS_PROCESS", "GPUS", "MESSAGE_BYTES", "STAGES", "Gpu", "Origin", "Stage", "Work"]


class Origin(StrEnum):
    """Where a figure comes from."""

    MEASURED = "measured"
    ASSUMED = "assumed"


class Work(StrEnum):
    """What does the work of a stage."""

    WORKER = "worker"
    """A process of which there may be as many as partitions."""
    SINGLE = "single"
    """One process."""
    SERVER = "server"
    """Kafka or the object store: cores, without a number of processes."""
    MODEL = "model"
    """A model at Triton: CPU cores, or a GPU."""


@dataclass(frozen=True)
class Stage:
    """One stage: CPU time of one photograph, in milliseconds of one core."""

    name: str
    work: Work
    cpu_ms: float
    origin: Origin = Origin.MEASURED
    source: str = "docs/benchmarks.md, CPU by process, end to end: python -m benchmarks --quick at 936a631"
    machine: str = "Intel Xeon, 2 shared cores"
    date: str = "2026-11-29"


STAGES: tuple[Stage, ...] = (
    Stage("intake", Work.WORKER, 3.54),
    Stage("predict", Work.WORKER, 34.38),
    Stage("bursts", Work.WORKER, 16.04),
    Stage("crops", Work.WORKER, 7.96),
    Stage("clocks", Work.WORKER, 3.67),
    Stage("second-look", Work.WORKER, 4.17),
    Stage("explain", Work.WORKER, 1.62),
    Stage(
        "catalogue",
        Work.SINGLE,
        0.6,
        Origin.ASSUMED,
        "three events for each photograph (assumed), at 5,645 events per second of CPU time (measured on PostgreSQL)",
    ),
    Stage("kafka", Work.SERVER, 12.17),
    Stage("store", Work.SERVER, 12.83),
    Stage("triton", Work.SERVER, 2.42),
    Stage("classifier", Work.MODEL, 54.04),
    Stage("detector", Work.MODEL, 96.58),
)
"""In the order of the data flow. The dashboard and reconcile do not grow with the number of photographs."""


@dataclass(frozen=True)
class BurstsProcess:
    """What limits one process of the worker `bursts` besides its CPU time."""

    frames_per_s: float = 306
    """Measured: on Faust and Kafka it waits for confirmations more than it computes."""
    start_s: float = 5.1
    """Measured: with a small table of cameras."""
    start_s_per_camera: float = (16.4 - 5.1) / 10_000
    """Measured: from that to 10,000 cameras."""
    longest_start_s: float = 60
    """Assumed: how long a process may take to start after a crash."""

    @property
    def cameras(self) -> int:
        """The cameras of one process with which it still starts in time."""
        return int((self.longest_start_s - self.start_s) / self.start_s_per_camera)


BURSTS_PROCESS = BurstsProcess()

MESSAGE_BYTES: dict[str, tuple[float, Origin]] = {
    "storage.object.changed": (1_500, Origin.ASSUMED),
    "camera.image.uploaded.v1": (900, Origin.ASSUMED),
    "camera.image.predicted.v1": (6_896, Origin.MEASURED),
    "camera.burst.resolved.v1": (1_500, Origin.ASSUMED),
    "camera.crop.published.v1": (300, Origin.ASSUMED),
}
"""Bytes of a photograph's messages on the topics that grow, uncompressed."""


@dataclass(frozen=True)
class Gpu:
    """A GPU. **All figures are assumed: none was measured here.**"""

    name: str
    detector_per_s: float
    classifier_per_s: float
    watts: float
    price_per_h: float
    """Euros."""


GPUS: dict[str, Gpu] = {
    "l4": Gpu("l4", detector_per_s=300, classifier_per_s=1_200, watts=72, price_per_h=0.75),
    "a10": Gpu("a10", detector_per_s=450, classifier_per_s=1_800, watts=150, price_per_h=1.10),
}
