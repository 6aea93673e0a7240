"""One run of the whole benchmark, in order; fills the flat object."""

import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.end_to_end import GENERATOR, OTHERS, EndToEnd, Round, Soak
from benchmarks.figures import cpu_between, growth_per_1000, medians, percentile, spread
from benchmarks.in_process import WAYS, Measured, Way, measure
from benchmarks.machine import cores, describe
from benchmarks.photographs import Photographs
from benchmarks.processes import Sample, pids_of, sample
from benchmarks.profiling import recording
from benchmarks.report import Results
from benchmarks.results_consumer import Answers, listening
from benchmarks.uploads import Uploader
from uncia.infra.local.lifetime import stopped_at_the_end
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
    """How much is measured."""

    rounds: int = 5
    images: int = 480
    """Photographs of one full-speed round."""
    in_process_images: int = 240
    latency_s: float = 60
    soak: int = 0


class Bench:
    """Runs the stages. `say` gets one line for people at a time."""

    def __init__(self, folder: Path, plan: Plan, say: Callable[[str], None]) -> None:
        self._folder, self._plan, self._say = folder, plan, say
        self._stack = Stack(folder / "stack")
        self._results: Results = {}

    def run(self) -> Results:
        """All stages. The stack is started and always stopped again."""
        say, put = self._say, self._results
        put.update(describe())
        say("photographs …")
        library = Photographs(self._folder / "photographs", DISTINCT)
        put["photograph_bytes"] = round(library.mean_bytes)
        way, empty = self._best_way()
        put["in_process_way"] = f"{way.name}, batch {way.batch}"
        self._stack.down()
        shutil.rmtree(self._stack.folder, ignore_errors=True)
        with stopped_at_the_end(self._stack):
            self._start("cold")
            self._stop()
            self._start("warm")
            settings = self._stack.settings()
            with listening(settings) as answers:
                stream = EndToEnd(Uploader(settings, library), answers, self._stack_id, CAMERAS)
                self._measure(stream, way, empty)
                self._check(answers)
            self._stop()
        return put

    @property
    def _stack_id(self) -> str:
        drawn = self._stack.drawn()
        return drawn.stack_id if drawn else ""

    def _measure(self, stream: EndToEnd, way: Way, empty: Measured) -> None:
        put, plan = self._results, self._plan
        self._say("warming up …")
        warm_up = stream.full_speed(min(plan.images, 10 * CAMERAS))
        begin = sample(self._stack_id)
        put["idle_share_of_machine"] = round(self._idle_share(), 4)
        rounds = self._rounds(stream, way, empty)
        rate = LOAD * statistics.median(each.images_per_s for each in rounds)
        images = warm_up.images + sum(each.images for each in rounds)
        images += self._latency(stream, rate) + self._profile(stream, rounds)
        if plan.soak:
            soak = stream.soak(plan.soak, lambda done: self._say(f"  soak: {done} of {plan.soak}"))
            images += self._tell_soak(soak)
        put["images_in_all"] = images
        self._tell_memory(begin, sample(self._stack_id))

    def _start(self, kind: str) -> None:
        began = time.perf_counter()

        def ready(part: str, seconds: float, detail: str) -> None:
            self._results[f"startup_{kind}_s_{part}"] = round(seconds, 2)

        self._stack.up(report=ready)
        self._results[f"startup_{kind}_s"] = round(time.perf_counter() - began, 1)
        self._say(f"stack up, {kind}: {self._results[f'startup_{kind}_s']} s")

    def _stop(self) -> None:
        began = time.perf_counter()
        self._stack.down()
        self._results["stop_s"] = round(time.perf_counter() - began, 1)

    def _in_process(self, what: str, way: Way, count: int) -> Measured:
        settings = _settings()
        model = settings.model_repository / settings.model
        return measure(
            what,
            model / read_version_state(model).live,
            self._folder / "photographs",
            way=way.name,
            batch=way.batch,
            count=count,
            distinct=DISTINCT,
            cores=cores(),
        )

    def _best_way(self) -> tuple[Way, Measured]:
        """The fastest simple use of the cores, on the machine without our stack; the fairest thing to compare with."""
        tried = {way: self._in_process("frames", way, self._plan.in_process_images) for way in WAYS}
        for way, measured in tried.items():
            self._say(f"  in process, {way.name} of {way.batch}: {measured.images_per_s:.1f} images/s")
            self._results[f"in_process_{way.name}_{way.batch}_images_per_s"] = round(measured.images_per_s, 1)
        best = max(tried, key=lambda way: tried[way].images_per_s)
        return best, tried[best]

    def _idle_share(self) -> float:
        before = sample(self._stack_id)
        time.sleep(_IDLE_S)
        used = cpu_between(before.cpu, sample(self._stack_id).cpu)
        return sum(used.values()) / _IDLE_S / cores()

    def _rounds(self, stream: EndToEnd, way: Way, empty: Measured) -> list[Round]:
        """Interleaved, so that whatever else the machine does meets all alike."""
        put, count = self._results, self._plan.in_process_images
        one, eight, frames, rounds = [], [], [], []
        for number in range(self._plan.rounds):
            one.append(self._in_process("model", Way("pool", 1), count))
            eight.append(self._in_process("model", Way("staged", 8), count))
            frames.append(self._in_process("frames", way, count))
            rounds.append(stream.full_speed(self._plan.images))
            self._say(
                f"round {number + 1}: model {one[-1].images_per_s:.1f} and {eight[-1].images_per_s:.1f}, "
                f"in process {frames[-1].images_per_s:.1f}, end to end {rounds[-1].images_per_s:.1f} images/s"
            )
        for name, measured in (("model_batch_1", one), ("model_batch_8", eight), ("in_process", frames)):
            self._tell_rate(name, [each.images_per_s for each in measured])
            cpu = statistics.median(each.cpu_s_per_image for each in measured)
            put[f"{name}_cpu_ms_per_image"] = round(1000 * cpu, 2)
        self._tell_end_to_end(rounds, frames, empty)
        return rounds

    def _tell_rate(self, name: str, rates: Sequence[float]) -> None:
        for end, value in zip(("", "_least", "_most"), spread(rates), strict=True):
            self._results[f"{name}_images_per_s{end}"] = round(value, 2)

    def _tell_end_to_end(self, rounds: Sequence[Round], frames: Sequence[Measured], empty: Measured) -> None:
        put = self._results
        put["rounds"], put["images_per_round"] = len(rounds), rounds[0].images
        self._tell_rate("end_to_end", [each.images_per_s for each in rounds])
        self._tell_rate("answers", [each.answers_per_s for each in rounds])
        self._tell_rate("puts", [each.puts_per_s for each in rounds])
        ratios = [whole.images_per_s / alone.images_per_s for whole, alone in zip(rounds, frames, strict=True)]
        for end, value in zip(("", "_least", "_most"), spread(ratios), strict=True):
            put[f"end_to_end_ratio{end}"] = round(value, 3)
        answered = [whole.answers_per_s / alone.images_per_s for whole, alone in zip(rounds, frames, strict=True)]
        put["answers_ratio"] = round(statistics.median(answered), 3)
        put["end_to_end_ratio_to_empty_machine"] = round(float(put["end_to_end_images_per_s"]) / empty.images_per_s, 3)
        cpu = medians([each.cpu_s_per_image for each in rounds])
        for part, seconds in cpu.items():
            put[f"cpu_ms_per_image_{part}"] = round(1000 * seconds, 3)
        ours = 1000 * sum(seconds for part, seconds in cpu.items() if part != OTHERS)
        put["cpu_ms_per_image_total"] = put["end_to_end_cpu_ms_per_image"] = round(ours, 2)
        put["cpu_ms_per_image_without_generator"] = round(ours - 1000 * cpu[GENERATOR], 2)
        put["end_to_end_cpu_ratio"] = round(float(put["in_process_cpu_ms_per_image"]) / ours, 3)
        others = [each.cpu_s_per_image[OTHERS] * each.images_per_s / cores() for each in rounds]
        put["others_share_of_machine"] = round(statistics.median(others), 3)

    def _latency(self, stream: EndToEnd, rate: float) -> int:
        put, seconds = self._results, self._plan.latency_s
        self._say(f"latency at {rate:.1f} images/s for {seconds:.0f} s …")
        predicted, settled, sent = stream.steady(rate, seconds)
        put["latency_rate_per_s"], put["latency_seconds"] = round(rate, 2), seconds
        put["latency_images"] = len(predicted)
        put["latency_generator_behind_ms"] = round(1000 * sent.latest_start_s, 1)
        for name, values in (("latency", predicted), ("verdict_latency", settled)):
            for mark, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
                put[f"{name}_{mark}_ms"] = round(1000 * percentile(values, share), 1)
        self._say(f"  p50 {put['latency_p50_ms']} ms, p99 {put['latency_p99_ms']} ms")
        return len(predicted)

    def _profile(self, stream: EndToEnd, rounds: Sequence[Round]) -> int:
        """The worker that costs most, while it works; not counted above."""
        put = self._results
        cpu = medians([each.cpu_s_per_image for each in rounds])
        worst = max(_PYTHON_PARTS, key=lambda part: cpu.get(part, 0.0))
        self._say(f"profile of {worst} …")
        pid = max(pids_of(self._stack_id, worst))
        with recording(pid, seconds=120) as spied:
            images = stream.full_speed(self._plan.images).images
        if spied.profile is None:
            put["profile_problem"] = spied.problem
            self._say(f"  {spied.problem}")
            return images
        put["profile_part"] = worst
        for kind, shares in (("own", spied.profile.own), ("ours", spied.profile.ours)):
            for place, (name, share) in enumerate(shares, 1):
                put[f"profile_{kind}_{place:02}"] = f"{name} {share:.1%}"
        return images

    def _tell_soak(self, soak: Soak) -> int:
        put = self._results
        put["soak_images"], put["soak_images_per_s"] = soak.counts[-1], round(soak.images_per_s, 1)
        for part, sizes in soak.memory_mb.items():
            put[f"soak_begin_mb_{part}"], put[f"soak_end_mb_{part}"] = round(sizes[0], 1), round(sizes[-1], 1)
            if len(sizes) >= 5:
                put[f"soak_growth_mb_per_1000_{part}"] = round(growth_per_1000(soak.counts, sizes), 3)
        return soak.counts[-1]

    def _tell_memory(self, begin: Sample, end: Sample) -> None:
        for kind, taken in (("begin", begin), ("end", end)):
            for part, size in sorted(taken.resident_mb.items()):
                self._results[f"memory_{kind}_mb_{part}"] = round(size, 1)
            self._results[f"memory_{kind}_total_mb"] = round(sum(taken.proportional_mb.values()), 1)

    def _check(self, answers: Answers) -> None:
        """Figures of a stream that lost or refused something would be worth nothing."""
        self._results["rejected"] = len(answers.rejected)
        self._results["dead_letters"] = answers.dead_letters
        self._results["bursts"] = len(answers.bursts)


def _settings() -> Settings:
    return Settings()
