"""Models side by side in one package: the classes of all, each scored as by its own model.

So the stream hears of kinds and of "any animal at all" in one answer. What the models have in common, mostly their
backbone, is computed once.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from uncia.imaging.frames import self_test_pattern
from uncia.serving.labels import LabelSet
from uncia.training.ensembles.graph import Member, beside_graph
from uncia.training.ensembles.views import View
from uncia.triton_models.packages.loading import OpenPackage, PackageError, session_of
from uncia.triton_models.packages.writing import page, write_package

_TOLERANCE = 1e-4


def join(out: Path, packages: Sequence[OpenPackage], *, name: str) -> OpenPackage:
    """Write the package. Thresholds and calibrations stay: the scores are the same.

    WHOLE holds one distribution for each model, one after the other. Raises `PackageError` where the models look at
    different frames, or a label is in two of them.
    """
    first = packages[0].card
    for package in packages[1:]:
        if package.card.frame != first.frame:
            raise PackageError(f"{package.folder.name} looks at another frame than {packages[0].folder.name}")
    labels = _joined(packages)
    members = [Member(package, (View(),)) for package in packages]
    graph = beside_graph(members, first.frame).SerializeToString()
    pattern = self_test_pattern(first.frame)
    frames = np.stack([pattern, 255 - pattern[:, ::-1]])
    answers = session_of(graph).run(["WHOLE", "WINDOWS", "PLACES"], {"FRAME": frames})
    for answer, parts in zip(answers, zip(*(package.answer(frames) for package in packages), strict=True), strict=True):
        off = float(np.abs(answer - np.concatenate(parts, axis=1)).max())
        if not off <= _TOLERANCE:
            raise PackageError(f"side by side the models answer otherwise than alone (by {off:.2g})")
    return write_package(
        out,
        graph,
        model=name,
        frame=first.frame,
        labels=labels,
        weights="; ".join(dict.fromkeys(package.card.weights for package in packages if package.card.weights)),
        licence="; ".join(dict.fromkeys(package.card.licence for package in packages if package.card.licence)),
        page=_page(name, packages),
    )


def _joined(packages: Sequence[OpenPackage]) -> LabelSet:
    sets = [package.card.labels for package in packages]
    classes = [entry for each in sets for entry in each.classes]
    names = [entry.label for entry in sets[-1].classes]
    for each in sets[:-1]:
        if twice := {entry.label for entry in each.classes} & set(names):
            raise PackageError(f"two of these models have a class {min(twice)!r}: nobody could tell them apart")
        names += [entry.label for entry in each.classes]
    return LabelSet(
        name="-and-".join(each.name for each in sets),
        source=" ".join(each.source for each in sets if each.source),
        classes=tuple(entry.model_copy(update={"index": at}) for at, entry in enumerate(classes)),
    )


def _page(name: str, packages: Sequence[OpenPackage]) -> str:
    rows: list[tuple[object, ...]] = [("model", "classes", "label set")]
    rows += [(each.card.model, len(each.card.labels.classes), each.card.label_set) for each in packages]
    return page(name, ["Several models side by side: each class is scored as by its own model."], {"Models": rows})
