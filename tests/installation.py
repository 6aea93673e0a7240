"""What the base installation and each extra promise to import, and which distributions each of them brings."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, entry_points, packages_distributions

from packaging.requirements import Requirement

from tests.paths import ROOT

EXTRAS = ("processors", "models", "dashboard", "mailroom", "delivery", "local")

DECODING = (
    "uncia.camtrap.box_choice",
    "uncia.camtrap.movement",
    "uncia.camtrap.presence",
    "uncia.imaging.crops",
    "uncia.imaging.frames",
    "uncia.imaging.jpeg_decoder",
    "uncia.imaging.luminance",
    "uncia.imaging.people_blur",
    "uncia.imaging.tiles",
)
SOUND = ("uncia.sound.spectrogram", "uncia.sound.windows")
EXCERPTS = ("uncia.sound.excerpt", "uncia.sound.recording")
TRITON = (
    "uncia.serving.detector_client",
    "uncia.serving.embedder_client",
    "uncia.serving.frame_requests",
    "uncia.serving.self_tests",
    "uncia.serving.triton_client",
)
EXPLAINING = tuple(
    f"uncia.explaining.{module.stem}"
    for module in sorted((ROOT / "uncia" / "explaining").glob("*.py"))
    if module.stem != "__init__"
)

_FOLDERS = {
    "": ("uncia", "producers"),
    "processors": ("processors",),
    "models": ("training", "triton_models"),
    "dashboard": ("dashboard",),
    "mailroom": ("producers/mailroom",),
    "delivery": ("processors/delivery",),
    "local": ("infra", "producers/simulate"),
}
"""The folders whose modules an installation promises, on top of those of the base."""

_OF_AN_EXTRA = {"producers/simulate": "local", "producers/mailroom": "mailroom"}
"""The folders of the base whose modules only an extra promises."""

_NEEDS_AN_EXTRA = {
    **dict.fromkeys(DECODING, ("processors", "models")),
    **dict.fromkeys(SOUND, ("processors", "models")),
    **dict.fromkeys(EXCERPTS, ("processors", "models", "dashboard")),
    **dict.fromkeys(TRITON, ("processors", "models")),
    **dict.fromkeys(EXPLAINING, ("processors", "models")),
    # Executed by Triton's own Python, which brings `triton_python_backend_utils`.
    "uncia.triton_models.serving.onnx_python_backend": (),
    # Executed by Alembic, in whose context alone it works.
    "uncia.dashboard.catalogue.migrations.env": (),
    # For developers: needs Playwright, which no extra for users brings.
    "uncia.infra.demo.screenshot": (),
}
"""Modules of these folders that need more: the extras with which they import."""

IMPORT_ALL = """
import importlib, sys
hidden, modules = set(sys.argv[1].split(",")), sys.argv[2:]
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r} (hidden)", name=name)
sys.meta_path.insert(0, Hidden())
failed = []
for module in modules:
    try:
        importlib.import_module(module)
    except ImportError as error:
        failed.append(f"{module}: {error}")
sys.exit("\\n".join(failed) or 0)
"""
"""A program: imports the modules that follow, with the top-level modules of the first argument hidden."""


def promised(extra: str = "") -> list[str]:
    """The modules that import with the base and this extra, commands included."""
    found = {module for folder in {*_FOLDERS[""], *_FOLDERS[extra]} for module in _modules(folder)}
    for folder, owner in _OF_AN_EXTRA.items():
        if extra != owner:
            found -= set(_modules(folder))
    found = {module for module in found if extra in _NEEDS_AN_EXTRA.get(module, (extra,))}
    commands = {point.module for point in entry_points(group="uncia.commands") if not point.extras}
    commands |= {point.module for point in entry_points(group="uncia.commands") if extra in point.extras}
    return sorted(found | commands)


def distributions(extra: str = "") -> set[str]:
    """Names of all distributions that the base and this extra bring, with what these require in turn."""
    found: set[str] = set()
    waiting = [("uncia", frozenset({extra} if extra else ()))]
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in done:
            continue
        done.add((name, extras))
        found.add(_normalized(name))
        waiting += [(required.name, frozenset(required.extras)) for required in _requirements(name, extras)]
    return found


def hidden_modules(extra: str = "") -> set[str]:
    """Top-level modules of this environment that the base with this extra would not have."""
    brought = distributions(extra)
    return {
        module
        for module, owners in packages_distributions().items()
        if not {_normalized(owner) for owner in owners} & brought
    } - {"uncia"}


def _modules(folder: str) -> Iterator[str]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if any((ROOT / "uncia" / part).is_symlink() for part in parts[1:2]) and parts[0] == "uncia":
            continue
        name = ".".join(parts if parts[0] == "uncia" else ("uncia", *parts)).removesuffix(".__init__")
        if not name.endswith("__main__"):
            yield name


def _requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return  # for another platform, or optional and absent here
    for line in lines:
        required = Requirement(line)
        environments = [{"extra": extra} for extra in extras] or [{"extra": ""}]
        if required.marker is None or any(required.marker.evaluate(environment) for environment in environments):
            yield required


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
