"""Fill a network from a published checkpoint, tensor by tensor and by name, without running code of the file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from uncia.errors import UnciaError
from uncia.triton_models.fetching.safe_checkpoint import read_checkpoint


class CheckpointRefused(UnciaError):
    """A checkpoint does not belong to the network that it should fill."""


def checkpoint_members(path: Path) -> Mapping[str, Any]:
    """The members of a checkpoint, such as `state_dict`; none where it is no dictionary. Raises `CheckpointRefused`."""
    try:
        content = read_checkpoint(path)
    except ValueError as error:
        raise CheckpointRefused(f"{path} is not a checkpoint ({error}): download it again") from error
    return content if isinstance(content, dict) else {}


def load_tensors(
    network: nn.Module,
    given: Mapping[str, Any],
    path: Path,
    *,
    surplus: Callable[[str], bool],
    optional: Callable[[str], bool] = lambda name: False,
) -> None:
    """Copy the tensors into the network. Raises `CheckpointRefused`, and then the network is unchanged.

    Every tensor of the network must be given with its shape, except where `optional`; every given one must belong to
    the network, except where `surplus`.
    """
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in given and not optional(name)]
    wrong = [
        name for name, values in wanted.items() if name in given and getattr(given[name], "shape", None) != values.shape
    ]
    unknown = [name for name in given if name not in wanted and not surplus(name)]
    if missing or wrong or unknown:
        first = [f"has no {name}" for name in missing] + [f"has another shape of {name}" for name in wrong]
        problem = [*first, *(f"has {name}, which is unknown" for name in unknown)][0]
        raise CheckpointRefused(
            f"{path} does not belong to this network: it {problem} ({len(missing)} missing, {len(wrong)} of another "
            f"shape, {len(unknown)} unknown, of {len(wanted)})"
        )
    network.load_state_dict({name: given.get(name, values) for name, values in wanted.items()})
