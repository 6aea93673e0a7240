"""What a run is: its command, inputs, code and environment; and what has to be copied for it. Pure."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel

from uncia.training.remote.content import RunInput

__all__ = [
    "Argument",
    "EnvironmentSpec",
    "RunPlan",
    "links_of",
    "objects_of",
    "remote_arguments",
    "run_id",
    "to_local_paths",
]


class Argument(BaseModel):
    """One argument of the command: text, or a path that is another one over there."""

    kind: Literal["text", "input", "output", "cache", "progress"]
    text: str = ""
    """The text; for an input its number."""


class EnvironmentSpec(BaseModel):
    """What is installed over there, unless an existing environment is used."""

    requirements: list[str]
    constraints: list[str]
    checked: dict[str, str]
    """The version of each package that an existing environment must have."""

    def digest(self, python: str) -> str:
        """The hash by which an environment is used again; `python` is the version, of which the minor one counts."""
        minor = ".".join(python.split(".")[:2])
        content = json.dumps([self.requirements, self.constraints, minor])
        return hashlib.sha256(content.encode()).hexdigest()[:24]


class RunPlan(BaseModel):
    """Everything that determines a run."""

    id: str
    arguments: list[Argument]
    """After `uncia`."""
    inputs: list[RunInput]
    out: str
    """The package's path here, absolute."""
    code: str
    """SHA-256 of the wheel."""
    environment: EnvironmentSpec


def run_id(arguments: Sequence[Argument], inputs: Sequence[RunInput], out: Path, target: str) -> str:
    """The name of a run: the same command with the same data, for the same package and machine, is the same run.

    Letters, digits and hyphens, at most 48: also a valid name of a Kubernetes resource.
    """
    content = json.dumps(
        [
            [argument.model_dump() for argument in arguments],
            [[entry.argument, [[file.name, file.sha256] for file in entry.files]] for entry in inputs],
            str(out),
            target,
        ]
    )
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in out.stem.lower())
    return f"{name.strip('-')[:32].strip('-') or 'run'}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def objects_of(plan: RunPlan) -> dict[str, tuple[Path, int]]:
    """All content of the inputs by hash: one path here that has it, and its size in bytes."""
    found: dict[str, tuple[Path, int]] = {}
    for entry in plan.inputs:
        top = Path(entry.source) if Path(entry.source).is_dir() else Path(entry.source).parent
        for file in entry.files:
            inside = PurePosixPath(file.name)
            if Path(entry.source).is_dir():
                inside = inside.relative_to(entry.argument)
            found[file.sha256] = (top / inside, file.size)
    return found


def links_of(plan: RunPlan) -> list[tuple[str, str]]:
    """The files of the run's folder `inputs`, with the hashes of their content."""
    return [(f"{number}/{file.name}", file.sha256) for number, entry in enumerate(plan.inputs) for file in entry.files]


def remote_arguments(plan: RunPlan, root: str) -> list[str]:
    """The arguments with the paths over there."""
    folder = f"{root}/runs/{plan.id}"
    paths = {
        "output": f"{folder}/out/{Path(plan.out).name}",
        "cache": f"{root}/features",
        "progress": f"{folder}/progress",
    }
    return [
        argument.text
        if argument.kind == "text"
        else f"{folder}/inputs/{argument.text}/{plan.inputs[int(argument.text)].argument}"
        if argument.kind == "input"
        else paths[argument.kind]
        for argument in plan.arguments
    ]


def to_local_paths(text: str, plan: RunPlan, root: str) -> str:
    """A line of the run's output, with paths over there replaced by those here."""
    folder = f"{root}/runs/{plan.id}"
    replacements: Iterable[tuple[str, str]] = [
        (f"{folder}/out/", f"{Path(plan.out).parent.as_posix().rstrip('/')}/"),
        *((f"{folder}/inputs/{number}/", f"{entry.base.rstrip('/')}/") for number, entry in enumerate(plan.inputs)),
    ]
    for there, here in replacements:
        text = text.replace(there, here)
        # The same in JSON, whose strings may have escapes.
        escaped = json.dumps(there)[1:-1]
        if escaped != there:
            text = text.replace(escaped, json.dumps(here)[1:-1])
    return text
