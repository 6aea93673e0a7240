"""Prepares a replay before anything of it is written: its selection, and the offsets up to which it reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from uncia.errors import UnciaError
from uncia.producers.replay.description import Replay, ReplayPlan, find_replay
from uncia.producers.replay.kafka_log import KafkaLog, Partition, connect_to_log
from uncia.producers.replay.selection_check import check_selects, read_capture_times
from uncia.settings import Settings
from uncia.topics import IMAGE_PREDICTED, UPLOAD_TOPICS, Topic


@dataclass(frozen=True)
class PreparedReplay:
    """A replay, and what its run needs to know besides its description."""

    replay: Replay
    is_new: bool
    """True where its description has not been written yet."""
    times: Mapping[str, datetime]
    """Capture times that the live system read, by upload id, where the selection has times."""


def prepare_replay(name: str, plan: ReplayPlan, live: Settings) -> PreparedReplay:
    """The replay of that name: the existing one if its plan is the same, else a new one. Writes nothing.

    An empty plan stands for that of the existing replay. Raises `UnciaError` when one of that name has another plan,
    and `SettingsError` when the plan selects nothing or its settings are wrong.
    """
    plan.selection.check_time_range()
    if existing := find_replay(name):
        if plan not in (ReplayPlan(), existing.plan):
            raise UnciaError(
                f"a replay {name} exists with another plan: {existing.plan.describe()}. Choose another name, or run "
                f"`uncia replay drop {name}` first"
            )
        times = read_capture_times(live, existing.plan.selection, _flat(existing.answer_ends))
        return PreparedReplay(existing, False, times)
    with connect_to_log(live) as log:
        ends, answer_ends = _nested_ends(log, UPLOAD_TOPICS), _nested_ends(log, (IMAGE_PREDICTED,))
    replay = Replay.create(name, plan, ends, answer_ends)
    replay.settings(live)
    times = read_capture_times(live, plan.selection, _flat(answer_ends))
    check_selects(live, plan.selection, _flat(ends), times)
    return PreparedReplay(replay, True, times)


def upload_ends(replay: Replay) -> dict[Partition, int]:
    """The offsets of the live upload topics up to which the replay reads."""
    return _flat(replay.ends)


def _nested_ends(log: KafkaLog, topics: tuple[Topic, ...]) -> dict[str, dict[int, int]]:
    ends: dict[str, dict[int, int]] = {}
    for (topic, partition), end in log.ends(topics).items():
        ends.setdefault(topic, {})[partition] = end
    return ends


def _flat(ends: Mapping[str, Mapping[int, int]]) -> dict[Partition, int]:
    return {(topic, partition): end for topic, of_topic in ends.items() for partition, end in of_topic.items()}
