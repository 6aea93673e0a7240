"""Write a model package atomically."""

import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uncia.events.values import ClassVector
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import self_test_pattern
from uncia.serving.base_card import BaseCard
from uncia.serving.labels import LabelSet
from uncia.serving.model_card import ModelCard, SelfTest
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE, LABELS_FILE
from uncia.sound.spec import SoundSpec
from uncia.storage.atomic_dir import atomic_directory
from uncia.storage.durable import describe_write_error
from uncia.terminal import printable
from uncia.triton_models.packages.graph_errors import describe_error
from uncia.triton_models.packages.loading import OpenPackage, PackageError, open_session, overwrite_problem

PAGE_FILE = "card.html"

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse; margin: 1em 0 }} td, th {{ border: 1px solid #bbb; padding: .3em .6em }}
</style>
<h1>{title}</h1>
{body}
</html>
"""

TableRows = Sequence[Sequence[object]]


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from: the fields of its card with these names."""

    weights: str
    licence: str = ""
    trained_on: str = ""
    notes: str = ""
    built_from: str = ""


def write_package(
    out: Path,
    graph: bytes,
    *,
    model: str,
    frame: FrameSpec,
    labels: LabelSet,
    weights: str,
    licence: str,
    page: str,
    built_from: str = "",
    sound: SoundSpec | None = None,
) -> OpenPackage:
    """Write `model.onnx`, its card with the self-test's scores, `labels.json` and `card.html` to the folder `out`.

    `sound`: of an audio classifier. An existing package is replaced. Raises `PackageError` where something else is
    there, the graph fails, or the disk is full; `out` is then unchanged.
    """
    if problem := overwrite_problem(out):
        raise PackageError(problem)
    session = open_session(graph)
    pattern = self_test_pattern(frame)[np.newaxis]
    try:
        whole, windows, _ = session.run(["WHOLE", "WINDOWS", "PLACES"], {"FRAME": pattern})
    except Exception as error:  # ONNX Runtime's errors have no narrower common class
        raise PackageError(f"the graph fails its self-test: {describe_error(error)}") from error
    card = ModelCard(
        model=model,
        versions=("1",),
        frame=frame,
        label_set=labels.id,
        labels=labels,
        self_test=SelfTest(whole=ClassVector.pack(whole[0]), windows=ClassVector.pack(windows[0])),
        onnx_sha256=hashlib.sha256(graph).hexdigest(),
        weights=weights,
        licence=licence,
        built_from=built_from,
        sound=sound,
    )
    put_package(out, graph, card, page, labels)
    return OpenPackage(out, card, out / GRAPH_FILE, session)


def put_package(out: Path, graph: bytes, card: BaseCard, page: str, labels: LabelSet | None = None) -> None:
    """Write the files of a package; one that exists is replaced. `labels`: of a classifier.

    Raises `PackageError` where they cannot be written; `out` is then unchanged.
    """
    try:
        with atomic_directory(out) as staging:
            (staging / GRAPH_FILE).write_bytes(graph)
            (staging / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
            if labels is not None:
                (staging / LABELS_FILE).write_text(labels.model_dump_json(indent=1) + "\n", encoding="utf-8")
            (staging / PAGE_FILE).write_text(page, encoding="utf-8")
    except OSError as error:
        problem = describe_write_error(error)
        raise PackageError(f"{out} could not be written ({problem}); an existing package is unchanged") from error


def render_page(title: str, paragraphs: Sequence[str], tables: Mapping[str, TableRows]) -> str:
    """An HTML page: paragraphs, then tables by heading, the first row of each being its header. Escapes all text."""
    body = [f"<p>{html.escape(printable(text))}</p>" for text in paragraphs]
    for heading, (head, *rows) in tables.items():
        lines = [_row(head, "th"), *(_row(row, "td") for row in rows)]
        body.append(f"<h2>{html.escape(printable(heading))}</h2><table>{''.join(lines)}</table>")
    return _PAGE.format(title=html.escape(printable(title)), body="\n".join(body))


def _row(cells: Sequence[object], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(printable(cell))}</{tag}>" for cell in cells) + "</tr>"
