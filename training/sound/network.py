"""A small convolutional network over mel spectrograms, and its training.

Its features keep the pitch and lose the time: the largest and the mean response over time in each of a few bands. A
call counts wherever it is in the window, and not at any pitch. Each class has a score of its own, since several species
can call at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

from uncia.sound.spec import SoundSpec
from uncia.sound.spectrogram import levels_of
from uncia.training import TrainingError
from uncia.training.networks.checkpoint import copy_weights
from uncia.training.networks.training_loop import deterministic_algorithms
from uncia.training.sound.augmentation import Variation, noise_power, vary
from uncia.training.sound.examples import Examples, Power

__all__ = ["CallNetwork", "Epoch", "SoundTraining", "network_input", "predict", "train_network"]

Progress = Callable[[str, int, int], None]

_CHANNELS = (16, 32, 48)
_STRIDE = 2
"""Of the first convolution: a window has more cells than its calls need, and training is four times as fast."""

_NOISE_SHARE = 0.15
"""Of each batch: noise alone, in which no class is heard."""


@dataclass(frozen=True)
class SoundTraining:
    """How to train."""

    epochs: int = 20
    patience: int = 5
    """Training stops after this many epochs without a lower loss on the validation side."""
    batch: int = 32
    rate: float = 2e-3
    variation: Variation = field(default_factory=Variation)


@dataclass(frozen=True)
class Epoch:
    """One epoch, for the card."""

    number: int
    train_loss: float
    validation_loss: float


class CallNetwork(nn.Module):
    """In: float32 (B, 1, mels, columns) from 0 to 1. Out: logits (B, classes)."""

    def __init__(self, spec: SoundSpec, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels in _CHANNELS:
            first = before == 1
            size, stride = (5, _STRIDE) if first else (3, 1)
            layers += [
                nn.Conv2d(before, channels, size, stride, padding=size // 2, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                *([] if first else [nn.MaxPool2d(2)]),
            ]
            before = channels
        self.layers = nn.Sequential(*layers)
        bands = spec.mels // (_STRIDE * 2 ** (len(_CHANNELS) - 1))
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * before * bands, classes)

    def forward(self, levels: Tensor) -> Tensor:
        features = self.layers(levels)
        over_time = torch.cat([features.amax(dim=3), features.mean(dim=3)], dim=1).flatten(1)
        logits: Tensor = self.head(self.dropout(over_time))
        return logits


def network_input(power: Power, spec: SoundSpec) -> Tensor:
    """What the model sees of windows, float32 (N, 1, mels, columns): exactly what `uncia.sound.spectrogram` draws."""
    levels = levels_of(10 * np.log10(power), spec)
    return torch.from_numpy(np.ascontiguousarray(levels)[:, None]).float() / 255


def predict(network: CallNetwork, power: Power, spec: SoundSpec, batch: int = 64) -> NDArray[np.float32]:
    """Scores from 0 to 1, (N, classes), of windows (N, mels, columns)."""
    network.eval()
    with torch.inference_mode():
        found = [
            torch.sigmoid(network(network_input(power[start : start + batch], spec))).numpy()
            for start in range(0, len(power), batch)
        ]
    return np.concatenate(found) if found else np.zeros((0, network.head.out_features), np.float32)


def train_network(
    train: Examples,
    validation: Examples,
    classes: int,
    spec: SoundSpec,
    settings: SoundTraining,
    seed: int,
    progress: Progress = lambda step, done, total: None,
) -> tuple[CallNetwork, list[Epoch]]:
    """A network with the weights of its best epoch, on the CPU, and all epochs. Raises `TrainingError`."""
    with torch.random.fork_rng(devices=[]), deterministic_algorithms():
        torch.manual_seed(seed)
        network = CallNetwork(spec, classes)
        optimizer = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=1e-2)
        seen, wanted = network_input(validation.power, spec), _targets(validation.truth, classes)
        epochs: list[Epoch] = []
        best, best_loss, best_number = copy_weights(network), float("inf"), 0
        for number in range(1, settings.epochs + 1):
            progress("training", number - 1, settings.epochs)
            random = np.random.default_rng([seed, number])
            loss = _train_epoch(network, optimizer, train, spec, settings, random)
            network.eval()
            with torch.inference_mode():
                held_out = float(functional.binary_cross_entropy_with_logits(network(seen), wanted))
            epochs.append(Epoch(number, loss, held_out))
            if held_out < best_loss:
                best, best_loss, best_number = copy_weights(network), held_out, number
            elif number - best_number >= settings.patience:
                break
        progress("training", settings.epochs, settings.epochs)
        network.load_state_dict(best)
    return network.eval(), epochs


def _train_epoch(
    network: CallNetwork,
    optimizer: torch.optim.Optimizer,
    train: Examples,
    spec: SoundSpec,
    settings: SoundTraining,
    random: np.random.Generator,
) -> float:
    network.train()
    # Each class as often as any other, however many windows it has.
    counts = np.bincount(train.truth + 1)
    weights = 1.0 / counts[train.truth + 1]
    order = random.choice(len(train), size=len(train), p=weights / weights.sum())
    losses = []
    for start in range(0, len(order), settings.batch):
        power, truth = _batch(train, order[start : start + settings.batch], settings, random)
        logits = network(network_input(power, spec))
        loss = functional.binary_cross_entropy_with_logits(logits, _targets(truth, network.head.out_features))
        if not torch.isfinite(loss):
            raise TrainingError("the loss became NaN or infinite: choose a lower learning rate with --rate")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def _batch(
    train: Examples, chosen: NDArray[np.int64], settings: SoundTraining, random: np.random.Generator
) -> tuple[Power, NDArray[np.int64]]:
    power = [vary(train.power[one], _other(train, int(one), random), settings.variation, random) for one in chosen]
    truth = train.truth[chosen].tolist()
    shape = (train.power.shape[1], train.power.shape[2])
    for _ in range(max(1, round(_NOISE_SHARE * len(chosen)))):
        power.append(noise_power(shape, random) * np.float32(10 ** random.uniform(-7, -3)))
        truth.append(-1)
    return np.stack(power), np.array(truth, np.int64)


def _other(train: Examples, one: int, random: np.random.Generator) -> Power | None:
    """A window of another recording of the same class."""
    others = np.flatnonzero((train.truth == train.truth[one]) & (train.recording != train.recording[one]))
    return train.power[int(random.choice(others))] if len(others) else None


def _targets(truth: NDArray[np.int64], classes: int) -> Tensor:
    """(N, classes): 1 for the class that is heard; background has none."""
    wanted = torch.zeros(len(truth), classes)
    heard = np.flatnonzero(truth >= 0)
    wanted[heard, truth[heard]] = 1
    return wanted
