"""Read the tensors of a checkpoint without running its code.

Training frameworks store settings and callbacks next to the weights, as objects of classes that are not installed here
and that torch's `weights_only` refuses as a whole. Here every class but those of tensors becomes an inert placeholder.
"""

import collections
import pickle
import types
from pathlib import Path
from typing import IO, Any

import torch

_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "Size"): torch.Size,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
}


class Placeholder:
    """Stands for an object of a class that is not needed; accepts everything that unpickling does to an object."""

    def __new__(cls, *arguments: object, **named: object) -> "Placeholder":
        return super().__new__(cls)

    def __init__(self, *arguments: object, **named: object) -> None:
        """Ignores its arguments."""

    def __call__(self, *arguments: object, **named: object) -> "Placeholder":
        """Stands for the result of a function as well."""
        return self

    def __setstate__(self, state: object) -> None:
        """Ignores its state."""

    def __setitem__(self, key: object, value: object) -> None:
        """Ignores an item."""

    def append(self, value: object) -> None:
        """Ignores an element."""

    def extend(self, values: object) -> None:
        """Ignores elements."""

    def add(self, value: object) -> None:
        """Ignores an element."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _ALLOWED.get((module, name), Placeholder)


def _load(file: IO[bytes], **named: Any) -> Any:
    return _Unpickler(file, **named).load()


def read_checkpoint(path: Path) -> Any:
    """The content of a checkpoint, with placeholders where it has other objects than containers and tensors.

    Raises `ValueError` where it is none.
    """
    module = types.SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__="uncia_checkpoint")
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=module)
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError((str(error).splitlines() or [type(error).__name__])[0][:200]) from error
