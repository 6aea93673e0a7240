"""Describes a replay before anything of it is made: what it takes, and up to where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from uncia.errors import UnciaError
from uncia.producers.replay.description import Plan, Replay, find
from uncia.producers.replay.log_offsets import Log, Place, asking
from uncia.producers.replay.selection_check import must_select, times_read
from uncia.settings import Settings
from uncia.topics import IMAGE_PREDICTED, UPLOAD_TOPICS, Topic


@dataclass(frozen=True)
class Described:
    """A replay, and what was learnt about live when it was described."""

    replay: Replay
    new: bool
    """It was not there before, and is not written down yet."""
    times: Mapping[str, datetime]
    """Capture times that live read, by upload id, where the selection goes by them."""


def described(name: str, plan: Plan, live: Settings) -> Described:
    """The replay of that name: the one that there is if the plan is the same, else a new one. Writes nothing.

    Raises `UnciaError` when one of that name has another plan, and `SettingsError` when the plan selects nothing, or
    its settings are wrong.
    """
    plan.selection.possible()
    if found := find(name):
        if plan not in (Plan(), found.plan):
            raise UnciaError(
                f"the replay {name} is another one: {found.plan.words()}. Choose another name, or "
                f"`uncia replay drop {name}` first"
            )
        return Described(found, False, times_read(live, found.plan.selection, _places(found.answer_ends)))
    with asking(live) as log:
        ends, answer_ends = _ends(log, UPLOAD_TOPICS), _ends(log, (IMAGE_PREDICTED,))
    replay = Replay.make(name, plan, ends, answer_ends)
    replay.settings(live)
    times = times_read(live, plan.selection, _places(answer_ends))
    must_select(live, plan.selection, _places(ends), times)
    return Described(replay, True, times)


def _ends(log: Log, topics: tuple[Topic, ...]) -> dict[str, dict[int, int]]:
    ends: dict[str, dict[int, int]] = {}
    for (topic, partition), end in log.ends(topics).items():
        ends.setdefault(topic, {})[partition] = end
    return ends


def _places(ends: Mapping[str, Mapping[int, int]]) -> dict[Place, int]:
    return {(topic, partition): end for topic, of_topic in ends.items() for partition, end in of_topic.items()}


def ends_of(replay: Replay) -> dict[Place, int]:
    """Where the selection ends, by place."""
    return _places(replay.ends)
