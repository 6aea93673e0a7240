"""Checkpoints of a training run, from which a killed run resumes."""

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from uncia.storage.durable import replace_durably
from uncia.training import TrainingError
from uncia.training.model_packages.trained_model import CurvePoint


@dataclass
class RunState:
    """What a checkpoint holds besides the tensors."""

    epoch: int
    best_epoch: int
    best_loss: float
    curve: list[CurvePoint]
    unreadable: dict[Path, str]


def copy_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of a network, as copies on the CPU."""
    return {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}


def save_checkpoint(
    path: Path,
    made_for: str,
    state: RunState,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, torch.Tensor],
) -> None:
    """Write a checkpoint of the run `made_for` atomically. Raises `TrainingError` where it cannot be written."""
    content: dict[str, Any] = {
        "made_for": made_for,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "best_loss": state.best_loss,
        "curve": [list(astuple(point)) for point in state.curve],
        "unreadable": {str(file): reason for file, reason in state.unreadable.items()},
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "best": best,
    }
    temporary = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, temporary)
        replace_durably(temporary, path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        # On a full disk torch raises a RuntimeError that names a line of its source.
        why = error.strerror if isinstance(error, OSError) else "the disk is probably full"
        raise TrainingError(
            f"the checkpoint {path} cannot be written ({why}): free some space and run the same command again; it "
            "resumes from the last checkpoint"
        ) from error


def load_checkpoint(path: Path, made_for: str, device: torch.device) -> tuple[RunState, dict[str, Any]] | None:
    """The state and all tensors of a checkpoint; None where there is none of exactly this run."""
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError):
        return None
    if content.get("made_for") != made_for:
        return None
    curve = [CurvePoint(int(step), *rest) for step, *rest in content["curve"]]
    unreadable = {Path(file): reason for file, reason in content["unreadable"].items()}
    state = RunState(content["epoch"], content["best_epoch"], content["best_loss"], curve, unreadable)
    return state, content
