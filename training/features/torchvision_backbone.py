"""Any convolutional classifier of torchvision as a backbone: weights from a file, or downloaded by torchvision."""

import hashlib
import pickle
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from uncia.imaging.frame_spec import FrameSpec
from uncia.training import TrainingError
from uncia.training.features.backbone import Backbone, PublishedClassifier, imagenet_classifier

# What torchvision's classifiers were trained with, where their weights do not declare it.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_PROBE = 224
_IMAGENET = 1000
_MAX_DEPTH = 2
"""Modules are offered as cuts down to this depth: `layer4` and `layer4.1`, not `layer4.1.conv2`."""
_CLASSIFIER_MODULES = {"fc", "classifier", "head", "heads", "AuxLogits", "aux1", "aux2"}
"""Modules that a backbone does not need: weights for another number of classes are accepted."""


class TorchvisionBackbone(Backbone):
    """One network of `torchvision.models`. Raises `TrainingError` for an unknown one or unusable weights."""

    licence = "of the weights: see torchvision's page on this network, or the source of the file"

    def __init__(self, name: str, weights: Path | None = None) -> None:
        import torchvision

        known = torchvision.models.list_models(module=torchvision.models)
        if name not in known:
            raise TrainingError(
                f"no backbone {name!r}: use efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, or one of "
                f"torchvision's classifiers ({', '.join(known[:4])}, resnet50, ...)"
            )
        self.name = name
        pretrained = torchvision.models.get_model_weights(name).DEFAULT
        transform = pretrained.transforms()
        self.mean = _scaled_to_255(getattr(transform, "mean", _MEAN))
        self.std = _scaled_to_255(getattr(transform, "std", _STD))
        self._source = str(weights.name) if weights else f"torchvision's {pretrained}"
        self._state = _read_state(weights) if weights else _download_state(name, pretrained)
        self._network()

    @cached_property
    def strides(self) -> dict[str, int]:
        network, strides = self._network(), {}
        hooks = []
        for path, module in network.named_modules():
            if path and path.count(".") < _MAX_DEPTH:

                def record(module: nn.Module, inputs: Any, output: Any, path: str = path) -> None:
                    if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] > 1:
                        strides[path] = _PROBE // int(output.shape[2])

                hooks.append(module.register_forward_hook(record))
        with torch.inference_mode():
            network(torch.zeros(1, 3, _PROBE, _PROBE))
        for hook in hooks:
            hook.remove()
        if not strides:
            raise TrainingError(f"{self.name} has no feature maps to pool: choose a convolutional network")
        return strides

    @cached_property
    def digest(self) -> str:
        hasher = hashlib.sha256(self.name.encode())
        for key in sorted(self._state):
            hasher.update(key.encode() + self._state[key].detach().cpu().contiguous().numpy().tobytes())
        return hasher.hexdigest()

    @cached_property
    def provenance(self) -> str:
        return f"{self.name}, weights from {self._source} (digest {self.digest})"

    @cached_property
    def published(self) -> PublishedClassifier | None:
        network = self._network()
        linear = [(path, module) for path, module in network.named_modules() if isinstance(module, nn.Linear)]
        if not linear:
            return None
        path, layer = linear[-1]
        own = self._state.get(f"{path}.weight")
        if layer.out_features != _IMAGENET or own is None or own.shape != layer.weight.shape:
            return None
        # Some networks put another layer between the mean and the classifier, so this is tried on random pixels.
        probe = torch.randn(1, 3, _PROBE, _PROBE, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            mean = _FeatureMaps(network, (self.deepest,)).eval()(probe)[0].mean(dim=(2, 3))
            if mean.shape[1] != layer.in_features or not torch.allclose(layer(mean), network(probe), atol=1e-3):
                return None
        return imagenet_classifier(layer)

    def maps(self, cuts: tuple[str, ...], spec: FrameSpec) -> nn.Module:
        return _FeatureMaps(self._network(), cuts).eval()

    def _network(self) -> Any:
        """A new network with the weights; a classifier for other classes than the published ones stays random."""
        import torchvision

        extra = {"init_weights": False} if self.name in ("googlenet", "inception_v3") else {}
        network = torchvision.models.get_model(self.name, weights=None, **extra)
        own = network.state_dict()
        fitting = {key: value for key, value in self._state.items() if key in own and own[key].shape == value.shape}
        missing = {key.split(".")[0] for key in own if key not in fitting and not key.endswith("num_batches_tracked")}
        if missing := missing - _CLASSIFIER_MODULES:
            raise TrainingError(
                f"{self._source} does not contain the weights of {self.name}: {', '.join(sorted(missing)[:4])} are "
                "missing or of another shape"
            )
        network.load_state_dict(fitting, strict=False)
        return network.eval()


class _FeatureMaps(nn.Module):
    """The network, traced down to the requested cuts."""

    def __init__(self, network: nn.Module, cuts: tuple[str, ...]) -> None:
        super().__init__()
        from torchvision.models.feature_extraction import create_feature_extractor

        self.extract = create_feature_extractor(network, {cut: cut for cut in cuts})
        self.cuts = cuts

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        maps = self.extract(pixels)
        return tuple(maps[cut] for cut in self.cuts)


def _scaled_to_255(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) * 255 for value in values)
    return red, green, blue


def _read_state(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise TrainingError(f"the weights {path} cannot be read: {error.strerror}") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise TrainingError(f"{path} is not a weights file that torch can read") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not (isinstance(state, dict) and state and all(isinstance(value, Tensor) for value in state.values())):
        raise TrainingError(f"{path} is not a state dict: save it with torch.save(network.state_dict(), FILE)")
    return {key.removeprefix("module."): value for key, value in state.items()}


def _download_state(name: str, pretrained: Any) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = pretrained.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "reason", None) or error
        raise TrainingError(
            f"the weights of {name} cannot be downloaded ({reason}): pass a file with --weights FILE, or use "
            "efficientnet-lite0, whose weights ship as a package"
        ) from error
    return state
