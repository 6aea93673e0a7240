"""Removes a replay: its processes, topics, groups, keys and files, and the model that was loaded for it."""

from dataclasses import dataclass

from uncia.errors import DependencyDown
from uncia.identities import replay_identity
from uncia.namespaces import replay_namespace
from uncia.producers.replay.description import Replay, all_replays, find_replay
from uncia.producers.replay.kafka_log import connect_to_log
from uncia.producers.replay.replay_model import unload
from uncia.producers.replay.worker_processes import end_processes
from uncia.replay_keys import revoke_keys
from uncia.settings import Settings


@dataclass(frozen=True)
class RemovedReplay:
    """What was removed."""

    processes: int
    topics: list[str]
    groups: list[str]
    model: str | None
    """The model that Triton unloaded."""
    left_loaded: str
    """Why Triton still serves the model; empty where it does not."""


def remove_replay(replay: Replay, live: Settings) -> RemovedReplay:
    """Remove it; the caller holds its lock. Raises `UnciaError`: a repeated call removes what is left."""
    ended = end_processes(replay.process_mark)
    with connect_to_log(live.model_copy(update={"namespace": replay_namespace(replay.name, live)})) as log:
        topics, groups = log.remove()
    revoke_keys(replay_identity(replay.name).name, live)
    model, left_loaded = None, ""
    try:
        model = _unload_model(find_replay(replay.name) or replay, live)
    except DependencyDown as error:
        # A Triton that restarts starts without this model: no reason to leave the rest.
        left_loaded = str(error)
    replay.remove()
    return RemovedReplay(ended, topics, groups, model, left_loaded)


def _unload_model(replay: Replay, live: Settings) -> str | None:
    """Unload the model, unless another replay or the live system uses it. Returns its name where it was unloaded."""
    model = replay.plan.model
    others = [other for other in all_replays() if other.name != replay.name and other.plan.model == model]
    if not replay.loaded_model or others or model in (live.model, live.detector):
        return None
    unload(model, live)
    return model
