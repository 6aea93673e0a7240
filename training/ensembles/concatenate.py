"""Several models in one package: the classes of all of them, each scored as by its own model.

The stream then gets kinds of animals and "any animal at all" from one inference. What the models have in common, mostly
their backbone, is computed once.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from uncia.imaging.frames import self_test_pattern
from uncia.serving.labels import LabelSet
from uncia.training.ensembles.graph import Member, concatenated_graph
from uncia.training.ensembles.views import View
from uncia.triton_models.packages.loading import OpenPackage, PackageError, open_session
from uncia.triton_models.packages.writing import render_page, write_package

_TOLERANCE = 1e-4
"""Largest accepted difference of a probability between the package and the model alone."""


def concatenate_models(out: Path, packages: Sequence[OpenPackage], *, name: str) -> OpenPackage:
    """Write the package `out`. Thresholds and calibrations are retained, because the scores are the same.

    WHOLE contains one distribution per model, one after the other. Raises `PackageError` where the models expect
    different frames, or two of them have the same label.
    """
    first = packages[0].card
    for package in packages[1:]:
        if package.card.frame != first.frame:
            raise PackageError(f"{package.folder.name} expects another frame than {packages[0].folder.name}")
    labels = _concatenate_labels(packages)
    members = [Member(package, (View(),)) for package in packages]
    graph = concatenated_graph(members, first.frame).SerializeToString()
    pattern = self_test_pattern(first.frame)
    frames = np.stack([pattern, 255 - pattern[:, ::-1]])
    outputs = open_session(graph).run(["WHOLE", "WINDOWS", "PLACES"], {"FRAME": frames})
    alone = zip(*(package.predict(frames) for package in packages), strict=True)
    for output, parts in zip(outputs, alone, strict=True):
        difference = float(np.abs(output - np.concatenate(parts, axis=1)).max())
        if not difference <= _TOLERANCE:
            raise PackageError(f"the joined models differ from the single ones by {difference:.2g}: nothing written")
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


def _concatenate_labels(packages: Sequence[OpenPackage]) -> LabelSet:
    label_sets = [package.card.labels for package in packages]
    classes = [entry for labels in label_sets for entry in labels.classes]
    seen: set[str] = set()
    for labels in label_sets:
        names = {entry.label for entry in labels.classes}
        if duplicates := names & seen:
            raise PackageError(f"two of these models have a class {min(duplicates)!r}: rename it in one of them")
        seen |= names
    return LabelSet(
        name="-and-".join(labels.name for labels in label_sets),
        source=" ".join(labels.source for labels in label_sets if labels.source),
        classes=tuple(entry.model_copy(update={"index": index}) for index, entry in enumerate(classes)),
    )


def _page(name: str, packages: Sequence[OpenPackage]) -> str:
    rows: list[tuple[object, ...]] = [("model", "classes", "label set")]
    rows += [(one.card.model, len(one.card.labels.classes), one.card.label_set) for one in packages]
    return render_page(name, ["Several models in one: each class is scored as by its own model."], {"Models": rows})
