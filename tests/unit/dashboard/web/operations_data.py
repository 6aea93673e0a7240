"""Stand-ins for dead letters, replays and model versions."""

from collections.abc import Sequence
from dataclasses import replace

from tests.unit.producers.replay.builders import NOW, burst, compare
from uncia.dashboard.web.operations import (
    DeadLetterDetails,
    DeadLetterRow,
    ModelVersionList,
    ModelVersionRow,
    Operations,
    PromotedReplay,
    ReplayComparison,
    ReplayRow,
)
from uncia.errors import PermanentError, UnciaError
from uncia.events import BurstCategory
from uncia.producers.replay.description import Replay, ReplayPlan
from uncia.producers.replay.diff_report import to_json_object

LETTER = DeadLetterRow("0:17", "predict", "schema-invalid", "<b>\x1b[31m", "t", "ridge/cam-1", "now", 2)


class Letters:
    """Stands for the dead letters of the topics."""

    def __init__(self, count: int = 1) -> None:
        self.settled: list[tuple[str, list[str], str]] = []
        self.letters = [replace(LETTER, id=f"0:{17 + number}") for number in range(count)]

    def open(self, limit: int, *, stage: str = "", reason: str = "") -> Sequence[DeadLetterRow]:
        chosen = [one for one in self.letters if stage in ("", one.stage) and reason in ("", one.reason)]
        return chosen[:limit]

    def show(self, letter: str) -> DeadLetterDetails:
        found = next((one for one in self.letters if one.id == letter), None)
        if found is None:
            raise PermanentError("letter-unknown", f"there is no dead letter {letter}")
        return DeadLetterDetails(found, "", "headers\n<script>alert(1)</script>")

    def retry(self, ids: Sequence[str], account: str) -> Sequence[str]:
        self.settled.append(("retry", list(ids), account))
        return []

    def drop(self, ids: Sequence[str], account: str) -> Sequence[str]:
        self.settled.append(("drop", list(ids), account))
        return ["0:17: it is gone"]


class OneReplay:
    """Stands for one complete replay, whose page names the fingerprint `seen`."""

    def __init__(self) -> None:
        self.state = "done"
        self.actions: list[tuple[str, str, str]] = []
        self.problem = ""
        live = [
            burst("ab", "goat"),
            burst("cd", "goat", closed_at=NOW),
            burst("e", None, category=BurstCategory.BLANK),
        ]
        of_replay = [burst("ab", "cat", certain=False), burst("cd", "cat"), burst("e", "fox")]
        described = Replay.create("trial", ReplayPlan(model="m"), {}).model_copy(update={"completed_at": NOW})
        self.body = to_json_object(described, compare(live, of_replay))

    def list(self) -> Sequence[ReplayRow]:
        return [self.row("trial")]

    def row(self, name: str) -> ReplayRow:
        if name != "trial":
            raise PermanentError("replay-unknown", f"no replay is called {name}")
        return ReplayRow("trial", "all photographs, with m", self.state, "", "2026-06-01 00:00:00 UTC")

    def compare(self, name: str) -> ReplayComparison:
        if self.problem:
            raise UnciaError(self.problem)
        return ReplayComparison(self.body, "seen")

    def promote(self, name: str, fingerprint: str, account: str) -> PromotedReplay:
        if fingerprint != "seen":
            raise UnciaError("the differences have changed")
        self.actions.append(("promote", name, account))
        return PromotedReplay(1, 1)

    def drop(self, name: str) -> None:
        self.actions.append(("drop", name, ""))


class Versions:
    """Stands for a model repository with one model."""

    def __init__(self) -> None:
        self.live, self.previous = "2", "1"
        self.problem: str | None = None

    def list(self) -> ModelVersionList:
        roles = {self.live: "live", self.previous: "previous"}
        rows = tuple(
            ModelVersionRow(
                model="species_classifier",
                version=version,
                kind="classifier",
                role=roles.get(version, "installed"),
                state="READY" if version in roles else "",
                reason="",
                label_set="taxa@1",
                in_stream=version == self.live,
                live=self.live,
            )
            for version in ("1", "2", "3")
        )
        return ModelVersionList(rows, "The stream uses species_classifier.", self.problem)

    def make_live(self, model: str, version: str, live: str) -> None:
        if live != self.live:
            raise UnciaError(f"{model}@{self.live} is live meanwhile, and not {live}")
        self.live, self.previous = version, self.live


def stand_ins() -> Operations:
    return Operations(Letters(), OneReplay(), Versions())
