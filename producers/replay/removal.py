"""Takes a replay away: its processes, topics, groups, files, and the model that was loaded for it."""

from dataclasses import dataclass

from uncia.errors import DependencyDown
from uncia.producers.replay.description import Replay, all_replays, find, namespace_of
from uncia.producers.replay.log_offsets import asking
from uncia.producers.replay.model_check import unload
from uncia.producers.replay.workers import end_left_behind
from uncia.settings import Settings


@dataclass(frozen=True)
class Removed:
    """What there was."""

    processes: int
    topics: list[str]
    groups: list[str]
    model: str | None
    """The model that Triton let go of."""
    left_loaded: str
    """Why Triton still has the model, in words; empty where it has not."""


def remove(replay: Replay, live: Settings) -> Removed:
    """Remove it; whoever calls has it in hands. Raises `DependencyDown`: what is left then can be removed again."""
    ended = end_left_behind(replay.mark)
    with asking(live.model_copy(update={"namespace": namespace_of(replay.name, live)})) as log:
        topics, groups = log.remove()
    model, left_loaded = None, ""
    try:
        model = _unload(find(replay.name) or replay, live)
    except DependencyDown as error:
        # A Triton that is restarted comes up without this model: no reason to keep all the rest.
        left_loaded = str(error)
    replay.remove()
    return Removed(ended, topics, groups, model, left_loaded)


def _unload(replay: Replay, live: Settings) -> str | None:
    model = replay.plan.model
    others = [other for other in all_replays() if other.name != replay.name and other.plan.model == model]
    if not replay.loaded_model or others or model == live.model:
        return None
    unload(model, live)
    return model
