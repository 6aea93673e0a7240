"""Runs the stages of the main benchmark in order and collects their figures as one flat object."""

import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.end_to_end import GENERATOR, OTHERS, EndToEnd, Round, Soak
from benchmarks.figures import cpu_between, growth_per_1000, medians, percentile, spread
from benchmarks.in_process import STRATEGIES, Strategy, Throughput, measure, measure_stages
from benchmarks.machine import cores, describe
from benchmarks.photographs import Photographs
from benchmarks.pipeline import Models
from benchmarks.processes import Sample, pids_of, sample
from benchmarks.profiling import recording
from benchmarks.report import Results
from benchmarks.results_consumer import ResultsConsumer, consume_results
from benchmarks.uploads import Uploader
from uncia.infra.local.lifetime import stop_on_exit
from uncia.infra.local.stack import Stack
from uncia.serving.model_versions import read_version_state
from uncia.settings import Settings

DISTINCT = 48
CAMERAS = 24
LOAD = 0.3

_PYTHON_PARTS = ("intake", "predict", "bursts")
_IDLE_S = 5


@dataclass(frozen=True)
class Plan:
    """Sizes of the stages."""

    rounds: int = 5
    images: int = 480
    """Photographs per full-speed round."""
    in_process_images: int = 240
    latency_s: float = 60
    soak: int = 0


class Benchmark:
    """Runs the stages. `progress` is called with one line of text at a time."""

    def __init__(self, folder: Path, plan: Plan, progress: Callable[[str], None]) -> None:
        self._folder, self._plan, self._progress = folder, plan, progress
        self._stack = Stack(folder / "stack")
        self._results: Results = {}

    def run(self) -> Results:
        """Run all stages and return the figures. Starts the stack and always stops it again."""
        progress, results = self._progress, self._results
        results.update(describe())
        progress("generating photographs …")
        library = Photographs(self._folder / "photographs", DISTINCT)
        results["photograph_bytes"] = round(library.mean_bytes)
        strategy, empty = self._best_strategy()
        results["in_process_way"] = f"{strategy.name}, batch {strategy.batch}"
        self._stack.down()
        shutil.rmtree(self._stack.folder, ignore_errors=True)
        with stop_on_exit(self._stack):
            self._start("cold")
            self._stop()
            self._start("warm")
            settings = self._stack.settings()
            with consume_results(settings) as answers:
                stream = EndToEnd(Uploader(settings, library), answers, self._stack_id, CAMERAS)
                self._measure(stream, strategy, empty)
                self._check(answers)
            self._stop()
        return results

    @property
    def _stack_id(self) -> str:
        identity = self._stack.identity()
        return identity.stack_id if identity else ""

    def _measure(self, stream: EndToEnd, strategy: Strategy, empty: Throughput) -> None:
        results, plan = self._results, self._plan
        # Before any photograph: second looks and crops go on for a while after the last one.
        results["idle_share_of_machine"] = round(self._idle_share(), 4)
        self._progress("warming up …")
        warm_up = stream.full_speed(min(plan.images, 10 * CAMERAS))
        begin = sample(self._stack_id)
        rounds = self._rounds(stream, strategy, empty)
        rate = LOAD * statistics.median(one.images_per_s for one in rounds)
        images = warm_up.images + sum(one.images for one in rounds)
        images += self._latency(stream, rate) + self._profile(stream, rounds)
        if plan.soak:
            soak = stream.soak(plan.soak, lambda done: self._progress(f"  soak: {done} of {plan.soak}"))
            images += self._record_soak(soak)
        results["images_in_all"] = images
        self._record_memory(begin, sample(self._stack_id))

    def _start(self, kind: str) -> None:
        began = time.perf_counter()

        def ready(part: str, seconds: float, detail: str) -> None:
            self._results[f"startup_{kind}_s_{part}"] = round(seconds, 2)

        self._stack.up(report=ready)
        self._results[f"startup_{kind}_s"] = round(time.perf_counter() - began, 1)
        self._progress(f"stack up, {kind}: {self._results[f'startup_{kind}_s']} s")

    def _stop(self) -> None:
        began = time.perf_counter()
        self._stack.down()
        self._results["stop_s"] = round(time.perf_counter() - began, 1)

    def _in_process(self, what: str, strategy: Strategy, count: int) -> Throughput:
        return measure(
            what,
            _models(),
            self._folder / "photographs",
            strategy=strategy.name,
            batch=strategy.batch,
            count=count,
            distinct=DISTINCT,
            cores=cores(),
        )

    def _best_strategy(self) -> tuple[Strategy, Throughput]:
        """The fastest simple in-process strategy, measured before the stack is up: the fairest baseline."""
        images = self._plan.in_process_images
        tried = {strategy: self._in_process("frames", strategy, images) for strategy in STRATEGIES}
        for strategy, measured in tried.items():
            self._progress(f"  in process, {strategy.name} of {strategy.batch}: {measured.images_per_s:.1f} images/s")
            self._results[f"in_process_{strategy.name}_{strategy.batch}_images_per_s"] = round(measured.images_per_s, 1)
        best = max(tried, key=lambda strategy: tried[strategy].images_per_s)
        return best, tried[best]

    def _idle_share(self) -> float:
        before = sample(self._stack_id)
        time.sleep(_IDLE_S)
        used = cpu_between(before.cpu, sample(self._stack_id).cpu)
        return sum(used.values()) / _IDLE_S / cores()

    def _rounds(self, stream: EndToEnd, strategy: Strategy, empty: Throughput) -> list[Round]:
        """Run the rounds of all variants interleaved, so that other load on the machine affects all of them alike."""
        results, count = self._results, self._plan.in_process_images
        batch_1, batch_8, detector, frames, rounds = [], [], [], [], []
        for number in range(self._plan.rounds):
            batch_1.append(self._in_process("model", Strategy("pool", 1), count))
            batch_8.append(self._in_process("model", Strategy("staged", 8), count))
            if _models().detector:
                detector.append(self._in_process("detector", Strategy("pool", 1), count))
            frames.append(self._in_process("frames", strategy, count))
            rounds.append(stream.full_speed(self._plan.images))
            self._progress(
                f"round {number + 1}: model {batch_1[-1].images_per_s:.1f} and {batch_8[-1].images_per_s:.1f}, "
                f"in process {frames[-1].images_per_s:.1f}, end to end {rounds[-1].images_per_s:.1f} images/s"
            )
        for name, measured in (("model_batch_1", batch_1), ("model_batch_8", batch_8), ("in_process", frames)):
            self._record_rate(name, [throughput.images_per_s for throughput in measured])
            cpu = statistics.median(throughput.cpu_s_per_image for throughput in measured)
            results[f"{name}_cpu_ms_per_image"] = round(1000 * cpu, 2)
        if detector:
            self._record_rate("detector", [throughput.images_per_s for throughput in detector])
            cpu = statistics.median(throughput.cpu_s_per_image for throughput in detector)
            results["detector_cpu_ms_per_image"] = round(1000 * cpu, 2)
        self._record_end_to_end(rounds, frames, empty)
        self._record_stages(measure_stages(_models(), self._folder / "photographs", count=count, distinct=DISTINCT))
        return rounds

    def _record_stages(self, stages: Mapping[str, float]) -> None:
        """CPU per stage in one process, and what the stream adds to it."""
        results = self._results
        results["crops_per_image"] = stages["crops_per_image"]
        times = {name: value for name, value in stages.items() if name != "crops_per_image"}
        for name, value in times.items():
            results[f"stage_cpu_ms_{name}"] = value
        results["stage_cpu_ms_rest"] = round(
            float(results["cpu_ms_per_image_without_generator"]) - sum(times.values()), 2
        )

    def _record_rate(self, name: str, rates: Sequence[float]) -> None:
        for end, value in zip(("", "_least", "_most"), spread(rates), strict=True):
            self._results[f"{name}_images_per_s{end}"] = round(value, 2)

    def _record_end_to_end(self, rounds: Sequence[Round], frames: Sequence[Throughput], empty: Throughput) -> None:
        results = self._results
        results["rounds"], results["images_per_round"] = len(rounds), rounds[0].images
        self._record_rate("end_to_end", [one.images_per_s for one in rounds])
        self._record_rate("answers", [one.answers_per_s for one in rounds])
        self._record_rate("puts", [one.puts_per_s for one in rounds])
        ratios = [stream.images_per_s / alone.images_per_s for stream, alone in zip(rounds, frames, strict=True)]
        for end, value in zip(("", "_least", "_most"), spread(ratios), strict=True):
            results[f"end_to_end_ratio{end}"] = round(value, 3)
        answered = [stream.answers_per_s / alone.images_per_s for stream, alone in zip(rounds, frames, strict=True)]
        results["answers_ratio"] = round(statistics.median(answered), 3)
        results["end_to_end_ratio_to_empty_machine"] = round(
            float(results["end_to_end_images_per_s"]) / empty.images_per_s, 3
        )
        cpu = medians([one.cpu_s_per_image for one in rounds])
        for part, seconds in cpu.items():
            results[f"cpu_ms_per_image_{part}"] = round(1000 * seconds, 3)
        ours = 1000 * sum(seconds for part, seconds in cpu.items() if part != OTHERS)
        results["cpu_ms_per_image_total"] = results["end_to_end_cpu_ms_per_image"] = round(ours, 2)
        results["cpu_ms_per_image_without_generator"] = round(ours - 1000 * cpu[GENERATOR], 2)
        results["end_to_end_cpu_ratio"] = round(float(results["in_process_cpu_ms_per_image"]) / ours, 3)
        others = [one.cpu_s_per_image[OTHERS] * one.images_per_s / cores() for one in rounds]
        results["others_share_of_machine"] = round(statistics.median(others), 3)

    def _latency(self, stream: EndToEnd, rate: float) -> int:
        results, seconds = self._results, self._plan.latency_s
        self._progress(f"latency at {rate:.1f} images/s for {seconds:.0f} s …")
        predicted, settled, sent = stream.steady(rate, seconds)
        results["latency_rate_per_s"], results["latency_seconds"] = round(rate, 2), seconds
        results["latency_images"] = len(predicted)
        results["latency_generator_behind_ms"] = round(1000 * sent.latest_start_s, 1)
        for name, values in (("latency", predicted), ("verdict_latency", settled)):
            for mark, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
                results[f"{name}_{mark}_ms"] = round(1000 * percentile(values, share), 1)
        self._progress(f"  p50 {results['latency_p50_ms']} ms, p99 {results['latency_p99_ms']} ms")
        return len(predicted)

    def _profile(self, stream: EndToEnd, rounds: Sequence[Round]) -> int:
        """Profile the Python worker that uses most CPU during one more round, which is not part of the figures."""
        results = self._results
        cpu = medians([one.cpu_s_per_image for one in rounds])
        worst = max(_PYTHON_PARTS, key=lambda part: cpu.get(part, 0.0))
        self._progress(f"profile of {worst} …")
        pid = max(pids_of(self._stack_id, worst))
        with recording(pid, seconds=120) as recorded:
            images = stream.full_speed(self._plan.images).images
        if recorded.profile is None:
            results["profile_problem"] = recorded.problem
            self._progress(f"  {recorded.problem}")
            return images
        results["profile_part"] = worst
        for kind, shares in (("own", recorded.profile.own), ("ours", recorded.profile.ours)):
            for place, (name, share) in enumerate(shares, 1):
                results[f"profile_{kind}_{place:02}"] = f"{name} {share:.1%}"
        return images

    def _record_soak(self, soak: Soak) -> int:
        results = self._results
        results["soak_images"], results["soak_images_per_s"] = soak.counts[-1], round(soak.images_per_s, 1)
        for part, sizes in soak.memory_mb.items():
            results[f"soak_begin_mb_{part}"], results[f"soak_end_mb_{part}"] = round(sizes[0], 1), round(sizes[-1], 1)
            if len(sizes) >= 5:
                results[f"soak_growth_mb_per_1000_{part}"] = round(growth_per_1000(soak.counts, sizes), 3)
        return soak.counts[-1]

    def _record_memory(self, begin: Sample, end: Sample) -> None:
        for kind, taken in (("begin", begin), ("end", end)):
            for part, size in sorted(taken.resident_mb.items()):
                self._results[f"memory_{kind}_mb_{part}"] = round(size, 1)
            self._results[f"memory_{kind}_total_mb"] = round(sum(taken.proportional_mb.values()), 1)

    def _check(self, answers: ResultsConsumer) -> None:
        """Record losses and rejections: with any of them the figures are invalid."""
        self._results["rejected"] = len(answers.rejected)
        self._results["dead_letters"] = answers.dead_letters
        self._results["bursts"] = len(answers.bursts)


def _models() -> Models:
    """The versions that the stack serves."""
    settings = Settings()
    model, detector = (settings.model_repository / name for name in (settings.model, settings.detector))
    there = bool(settings.detector) and detector.is_dir()
    return Models(
        model / read_version_state(model).live, detector / read_version_state(detector).live if there else None
    )
