"""How much of everything a number of photographs needs: processes, partitions, disks, GPUs, money and energy. Pure.

Each stage costs CPU time per photograph (`uncia.capacity_costs`). What runs must carry the peak at the chosen
utilisation; energy counts the time in which it computes, and money the time in which it runs.
"""

import math
from dataclasses import dataclass, field

from uncia.capacity_costs import BURSTS_PROCESS, GPUS, MESSAGE_BYTES, STAGES, Gpu, Origin, Stage, Work
from uncia.errors import UnciaError
from uncia.topics import TOPICS

__all__ = ["Demand", "Plan", "Prices", "plan"]

_DAY_S = 86_400
_HOURS_PER_MONTH = 730
_MOST_PARTITIONS = 1_000
_PARTITION_STEP = 4


@dataclass(frozen=True)
class Prices:
    """Prices in euros and power in watts. Assumed, as of November 2026: replace them by your own."""

    core_h: float = 0.04
    """One core with 4 GB of memory, one hour."""
    gpu_h: float | None = None
    """One GPU, one hour; None for the table's."""
    disk_gb_month: float = 0.08
    store_gb_month: float = 0.02
    core_watts: float = 10.0
    """One busy core with its share of the machine."""


@dataclass(frozen=True)
class Demand:
    """What is to be processed, and how."""

    cameras: int
    photographs_per_day: float
    peak: float = 3.0
    """Rate of the busiest hour relative to the mean."""
    utilisation: float = 0.6
    """Fraction of what runs that the peak may use."""
    gpu: str = "none"
    detector: bool = True
    photograph_kb: float = 1_500
    store_days: float = 365
    """How long photographs are kept."""
    kafka_replicas: int = 3
    prices: Prices = field(default_factory=Prices)

    def __post_init__(self) -> None:
        """Check the ranges. Raises `UnciaError`."""
        if self.cameras < 1 or not 0 < self.photographs_per_day < math.inf:
            raise UnciaError("a plan needs at least one camera, and a positive number of photographs a day")
        if not 1 <= self.peak <= 1_000 or not 0 < self.utilisation <= 1:
            raise UnciaError("the peak is 1 to 1000 times the mean, and the utilisation above 0 and at most 1")
        if self.gpu != "none" and self.gpu not in GPUS:
            raise UnciaError(f"there are no figures for the GPU {self.gpu}: use one of {', '.join(['none', *GPUS])}")
        if not 0 <= self.photograph_kb < math.inf or not 0 <= self.store_days < math.inf or self.kafka_replicas < 1:
            raise UnciaError("sizes and days are not negative, and there is at least one replica")


@dataclass(frozen=True)
class Plan:
    """The result. Amounts of money in euros, sizes in GB of 10^9 bytes."""

    demand: Demand
    mean_per_s: float
    peak_per_s: float
    workers: dict[str, int]
    """Processes at the peak, by name; never none."""
    partitions: int
    cores: float
    """All cores at the peak and the chosen utilisation, with those for models on the CPU and those of servers."""
    model_cores: float
    gpus: int
    kafka_gb: float
    store_gb: float
    core_s_per_photograph: float
    euros_per_month: float
    euros_per_million: float
    """Computing alone, without disks: those grow with how long is kept."""
    wh_per_million: float
    warnings: tuple[str, ...]
    assumed: tuple[str, ...]
    """Figures in this plan that were not measured."""


def plan(demand: Demand) -> Plan:
    """Compute the plan of a demand."""
    mean = demand.photographs_per_day / _DAY_S
    peak = mean * demand.peak
    gpu = GPUS.get(demand.gpu)
    stages = [stage for stage in STAGES if demand.detector or stage.name not in ("detector", "crops", "second-look")]
    on_cpu = [stage for stage in stages if not (gpu and stage.work is Work.MODEL)]
    workers = {
        stage.name: _processes(stage, demand, peak) for stage in stages if stage.work in (Work.WORKER, Work.SINGLE)
    }
    cores = sum(_cores(stage, peak, demand.utilisation, workers) for stage in on_cpu)
    model_cores = sum(_cores(s, peak, demand.utilisation, workers) for s in on_cpu if s.work is Work.MODEL)
    gpu_s = _gpu_s(gpu, demand.detector) if gpu else 0.0
    gpus = max(1, math.ceil(peak * gpu_s / demand.utilisation)) if gpu else 0
    core_s = sum(stage.cpu_ms for stage in on_cpu) / 1_000
    kafka_gb, store_gb = _kafka_gb(demand), demand.photographs_per_day * demand.store_days * demand.photograph_kb / 1e6
    prices = demand.prices
    gpu_price = (prices.gpu_h if prices.gpu_h is not None else gpu.price_per_h) if gpu else 0.0
    per_hour = cores * prices.core_h + gpus * gpu_price
    joules = core_s * prices.core_watts + gpu_s * (gpu.watts if gpu else 0)
    needed = max(count for name, count in workers.items() if _stage(name).work is Work.WORKER)
    partitions = math.ceil(max(needed, _PARTITION_STEP) / _PARTITION_STEP) * _PARTITION_STEP
    return Plan(
        demand=demand,
        mean_per_s=mean,
        peak_per_s=peak,
        workers=workers,
        partitions=partitions,
        cores=cores,
        model_cores=model_cores,
        gpus=gpus,
        kafka_gb=kafka_gb,
        store_gb=store_gb,
        core_s_per_photograph=core_s,
        euros_per_month=per_hour * _HOURS_PER_MONTH
        + kafka_gb * prices.disk_gb_month
        + store_gb * prices.store_gb_month,
        euros_per_million=per_hour * 24 * 1e6 / demand.photographs_per_day,
        wh_per_million=joules * 1e6 / 3_600,
        warnings=_warnings(demand, peak, partitions),
        assumed=_assumed(on_cpu, gpu),
    )


def _processes(stage: Stage, demand: Demand, peak: float) -> int:
    """Processes of a stage at the peak; each has one core."""
    if stage.work is Work.SINGLE:
        return 1
    needed = peak * stage.cpu_ms / 1_000 / demand.utilisation
    if stage.name == "bursts":
        by_rate = peak / BURSTS_PROCESS.frames_per_s / demand.utilisation
        needed = max(needed, by_rate, demand.cameras / BURSTS_PROCESS.cameras)
    return max(1, math.ceil(needed))


def _cores(stage: Stage, peak: float, utilisation: float, workers: dict[str, int]) -> float:
    """Cores of a stage at the peak. A process that waits, such as `bursts`, needs less than a whole one."""
    return min(peak * stage.cpu_ms / 1_000 / utilisation, workers.get(stage.name, math.inf))


def _gpu_s(gpu: Gpu, detector: bool) -> float:
    return 1 / gpu.classifier_per_s + (1 / gpu.detector_per_s if detector else 0)


def _kafka_gb(demand: Demand) -> float:
    """Disk of all brokers. A compacted topic keeps the last revision of each burst: counted as a year of them."""
    days = {topic.name: topic.retention_days or 365 for topic in TOPICS}
    size = sum(size * days[name] for name, (size, _) in MESSAGE_BYTES.items())
    return demand.photographs_per_day * size * demand.kafka_replicas / 1e9


def _warnings(demand: Demand, peak: float, partitions: int) -> tuple[str, ...]:
    found = []
    catalogue = _stage("catalogue")
    if peak * catalogue.cpu_ms / 1_000 > demand.utilisation:
        found.append("the catalogue is one process, and this peak is more than it can fold")
    if partitions > _MOST_PARTITIONS:
        found.append(f"UNCIA_PARTITIONS is at most {_MOST_PARTITIONS}: divide the stations among several systems")
    return tuple(found)


def _assumed(stages: list[Stage], gpu: Gpu | None) -> tuple[str, ...]:
    return (
        *(f"CPU time of {stage.name}" for stage in stages if stage.origin is Origin.ASSUMED),
        *(f"message size on {name}" for name, (_, origin) in MESSAGE_BYTES.items() if origin is Origin.ASSUMED),
        *([f"throughput, power and price of the GPU {gpu.name}"] if gpu else []),
        "prices, and watts of a core",
    )


def _stage(name: str) -> Stage:
    return next(stage for stage in STAGES if stage.name == name)
