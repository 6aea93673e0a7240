"""`uncia explain`: show which parts of a photograph lead to a class score, here or in the stream."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from kafka.errors import KafkaError
from numpy.typing import NDArray

from uncia import ids
from uncia.errors import PermanentError, UnciaError
from uncia.events import (
    BurstFrame,
    BurstResolved,
    BurstStatus,
    ExplanationMethod,
    ExplanationReason,
    ExplanationRequested,
    ImagePredicted,
    Lane,
)
from uncia.explaining.document import explanation_document
from uncia.explaining.explain import DEFAULT_SAMPLES, ExplanationOptions
from uncia.explaining.explain import explain as explain_pixels
from uncia.explaining.explanation import Explanation, Score
from uncia.explaining.heat_map import decode_backdrop, render_heat_map, to_photograph
from uncia.explaining.target import best_class, named_class
from uncia.imaging.frames import Pixels, decode_frame
from uncia.kafka.broker import read_topics, send_to_cameras
from uncia.kafka.connection import unavailable
from uncia.processors.explain.selection import build_request, may_show_person
from uncia.serving.labels import LabelClass
from uncia.serving.model_card import ModelCard, read_active_card
from uncia.serving.triton_client import Classifier
from uncia.settings import Settings, settings
from uncia.storage.object_store import ObjectStore
from uncia.terminal import echo, echo_json
from uncia.topics import BURST_RESOLVED, EXPLANATION_REQUESTED, IMAGE_PREDICTED

_BATCH = 8


class NothingToExplain(UnciaError):
    """No photograph is known by that name."""


@dataclass(frozen=True)
class _Photograph:
    """A photograph to explain."""

    name: str
    """Of the files that are written."""
    data: bytes


@dataclass(frozen=True)
class _Model:
    """A model that scores pictures, wherever it runs."""

    card: ModelCard
    windows: Score
    """Scores pictures: each class's best window, (B, classes)."""


def explain(
    target: Annotated[str, typer.Argument(help="A JPEG file, or the id of an image (`img-…`) or a burst (`bst-…`).")],
    method: Annotated[ExplanationMethod, typer.Option(help="How the heat map is computed.")] = ExplanationMethod.LIME,
    samples: Annotated[
        int, typer.Option(min=2, max=100_000, help="Pictures to score; class-activation takes one.")
    ] = DEFAULT_SAMPLES,
    seed: Annotated[int, typer.Option(min=0, help="Of LIME's samples: the same seed gives the same files.")] = 0,
    class_name: Annotated[
        str,
        typer.Option("--class", help="Class to explain: its label, taxon or number.", show_default="the best class"),
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for the heat map (PNG) and the weights (JSON).")] = Path(),
    package: Annotated[
        Path | None,
        typer.Option(help="Score with this model package in ONNX Runtime.", show_default="the live model, by Triton"),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Request it from the worker `explain` instead; for ids only.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Explain which parts of a photograph lead to a class score.

    Writes a heat map over the photograph (red raises the score, blue lowers it) and the weights of its parts, and
    prints class, score, fit and boxes. Of a burst, the frame that its verdict rests on is explained.
    """
    if stream:
        _request(target, method, class_name, as_json)
        return
    photograph = _load(target)
    options = ExplanationOptions(method, samples=samples, seed=seed)
    with _opened(package, method) as model:
        began = time.perf_counter()
        found, entry, calls = _explain(photograph, model, options, class_name, package)
        seconds = time.perf_counter() - began
    files = _write(photograph, found, model.card, entry, seed, out)
    facts = {
        **_facts(found, model.card, entry),
        "calls": calls,
        "seconds": round(seconds, 2),
        "pictures_per_s": round(found.samples / seconds, 1),
        "files": [str(file) for file in files],
    }
    if as_json:
        echo_json(facts)
    else:
        _print(facts, found)


def _explain(
    photograph: _Photograph, model: _Model, options: ExplanationOptions, class_name: str, package: Path | None
) -> tuple[Explanation, LabelClass, int]:
    """The explanation, its class, and the number of calls to the model."""
    card, calls = model.card, 0
    pixels = decode_frame(photograph.data, card.frame, max_pixels=settings().max_megapixels * 1_000_000).pixels

    def windows(images: Pixels) -> NDArray[np.floating]:
        nonlocal calls
        calls += 1
        return model.windows(images)

    if class_name:
        entry = named_class(card.labels, class_name)
    else:
        entry = best_class(card.labels, windows(pixels[None])[0], settings().focus_taxa)
    if options.method is ExplanationMethod.CLASS_ACTIVATION:
        from uncia.training.class_activation import class_activation
        from uncia.triton_models.packages.loading import open_package

        folder = package or settings().model_repository / card.model / card.version
        return class_activation(open_package(folder), pixels, entry.index), entry, calls + 1
    batch = min(_BATCH, card.max_batch) if package is None else 1
    found = explain_pixels(pixels, lambda images: windows(images)[:, entry.index], options, batch=batch)
    return found, entry, calls


@contextmanager
def _opened(package: Path | None, method: ExplanationMethod) -> Iterator[_Model]:
    """The model: of a package, or the live one in Triton; a class-activation map needs no Triton."""
    if package is not None or method is ExplanationMethod.CLASS_ACTIVATION:
        from uncia.triton_models.packages.loading import open_package

        opened = open_package(package or settings().model_repository / settings().model)
        yield _Model(opened.card, lambda images: opened.predict(images)[1])
        return
    card = read_active_card(settings())
    with asyncio.Runner() as runner:
        classifier = Classifier(settings(), card)

        def windows(images: Pixels) -> NDArray[np.float32]:
            # With the priority of old photographs: live ones overtake.
            return runner.run(classifier.classify(images, Lane.BACKFILL)).windows

        try:
            yield _Model(card, windows)
        finally:
            runner.run(classifier.close())


def _load(target: str) -> _Photograph:
    """The photograph of a path or an id. Raises `UnciaError` with one sentence."""
    path = Path(target)
    if not _is_id(target):
        try:
            return _Photograph(path.stem, path.read_bytes())
        except OSError as error:
            raise NothingToExplain(
                f"{target} cannot be read ({error.strerror}), and it is no id of an image (img-…) or burst (bst-…)"
            ) from error
    request = _find(target, read_active_card(settings()), ExplanationMethod.LIME, None)
    with_store = ObjectStore(settings())
    try:
        content = with_store.read(
            request.bucket,
            request.key,
            max_bytes=settings().max_object_mb * 1_048_576,
            etag="",
            size=0,
            version_id=request.version_id,
        )
    finally:
        with_store.close()
    if ids.image_id(request.camera, ids.content_hash(content.data)) != request.image_id:
        raise NothingToExplain(f"{request.bucket}/{request.key} no longer holds the photograph {request.image_id}")
    return _Photograph(request.image_id, content.data)


def _is_id(target: str) -> bool:
    return target.startswith(("img-", "bst-")) and not Path(target).exists()


def _find(target: str, card: ModelCard, method: ExplanationMethod, class_index: int | None) -> ExplanationRequested:
    """The request for an image, or for the frame that a burst's verdict rests on."""
    if target.startswith("bst-"):
        burst = _newest_burst(target)
        frame = _deciding_frame(burst)
        now = datetime.now(UTC)
        return build_request(burst, frame, ExplanationReason.PERSON, card, now, method=method, class_index=class_index)
    found: ImagePredicted | None = None
    for event in _events(IMAGE_PREDICTED, target, ImagePredicted):
        if event.image_id == target and (found is None or event.predicted_at >= found.predicted_at):
            found = event
    if found is None:
        topic = IMAGE_PREDICTED.full_name(settings())
        raise NothingToExplain(f"no image {target!r} on {topic}: see `uncia bursts explain BURST` for the ids")
    in_person_burst = any(
        may_show_person(burst)
        for burst in _events(BURST_RESOLVED, target, BurstResolved)
        if any(frame.image_id == target for frame in burst.frames)
    )
    return ExplanationRequested(
        explanation_id=ids.explanation_id(target, card.name, class_index, method.value),
        image_id=target,
        upload_id=found.upload_id,
        station=found.station,
        camera=found.camera,
        bucket=found.bucket,
        key=found.key,
        etag=found.etag,
        version_id=found.version_id,
        method=method,
        class_index=class_index,
        reason=ExplanationReason.PERSON,
        requested_at=datetime.now(UTC),
        person_in_burst=in_person_burst,
    )


def _newest_burst(burst_id: str) -> BurstResolved:
    found = _events(BURST_RESOLVED, burst_id, BurstResolved)
    events: list[BurstResolved] = [event for event in found if event.burst_id == burst_id]
    if not events:
        raise NothingToExplain(
            f"no burst {burst_id!r} on {BURST_RESOLVED.full_name(settings())}: see `uncia bursts list`"
        )
    newest = max(events, key=lambda event: event.revision)
    if newest.status is BurstStatus.SUPERSEDED:
        successor = f": explain {newest.superseded_by}" if newest.superseded_by else ""
        raise NothingToExplain(f"the burst {burst_id} was superseded{successor}")
    return newest


def _deciding_frame(burst: BurstResolved) -> BurstFrame:
    """The frame with the highest score of the verdict, of the deciding ones where there are some."""
    readable = [frame for frame in burst.frames if frame.rejection is None]
    if not readable:
        raise NothingToExplain(f"no frame of the burst {burst.burst_id} could be read")
    deciding = [frame for frame in readable if frame.deciding] or readable
    return max(deciding, key=lambda frame: (frame.score or 0.0, frame.image_id))


def _events(topic: Any, wanted: str, kind: Any) -> Iterator[Any]:
    """The events of a topic in which an id occurs."""
    for message in read_topics(settings(), (topic,), from_beginning=True, until_end=True):
        if message.value is None or wanted.encode() not in message.value:
            continue
        try:
            yield kind.from_bytes(message.value)
        except PermanentError:
            continue


def _request(target: str, method: ExplanationMethod, class_name: str, as_json: bool) -> None:
    """Send a request to the worker."""
    if not _is_id(target):
        raise NothingToExplain(f"--stream takes the id of an image (img-…) or burst (bst-…), not {target!r}")
    current: Settings = settings()
    card = read_active_card(current)
    class_index = named_class(card.labels, class_name).index if class_name else None
    request = _find(target, card, method, class_index)
    try:
        send_to_cameras(current, EXPLANATION_REQUESTED, [(request.camera, request.camera.encode(), request.to_bytes())])
    except KafkaError as error:
        raise unavailable(current, error) from error
    if as_json:
        echo_json({"explanation_id": request.explanation_id, "image_id": request.image_id, "camera": request.camera})
        return
    echo(
        f"requested {request.explanation_id} of {request.image_id}; heat map and weights will be in "
        f"{current.bucket}/explanations/{request.camera}/"
    )


def _facts(found: Explanation, card: ModelCard, entry: LabelClass) -> dict[str, Any]:
    return {
        "method": found.method.value,
        "model": card.name,
        "label_set": card.labels.id,
        "class_index": entry.index,
        "label": entry.label,
        "taxon": entry.taxon,
        "score": round(found.score, 6),
        "r2": None if found.r2 is None else round(found.r2, 6),
        "constant": found.constant,
        "superpixels": len(found.weights),
        "samples": found.samples,
        "boxes": [
            {"box": list(to_photograph(one.box, card.frame)), "weight": round(one.weight, 6)} for one in found.boxes
        ],
    }


def _write(
    photograph: _Photograph, found: Explanation, card: ModelCard, entry: LabelClass, seed: int, out: Path
) -> tuple[Path, Path]:
    backdrop = decode_backdrop(photograph.data, max_pixels=settings().max_megapixels * 1_000_000)
    name = f"{photograph.name}.{found.method.value}"
    heat_map, weights = out / f"{name}.png", out / f"{name}.json"
    facts = {**_facts(found, card, entry), "seed": seed}
    try:
        out.mkdir(parents=True, exist_ok=True)
        heat_map.write_bytes(render_heat_map(backdrop, found, card.frame))
        weights.write_bytes(explanation_document(found, card.frame, facts))
    except OSError as error:
        raise UnciaError(f"{out} cannot be written ({error.strerror})") from error
    return heat_map, weights


def _print(facts: dict[str, Any], found: Explanation) -> None:
    taxon = f" ({facts['taxon']})" if facts["taxon"] else ""
    echo(f"{facts['label']}{taxon}: score {facts['score']:.3f} of {facts['model']}, not a calibrated probability")
    if found.constant:
        echo("the score is the same whatever is hidden: nothing in the picture explains it, and there is no box")
    elif found.r2 is not None:
        echo(f"R² {found.r2:.2f}: share of the variance that the weights of {len(found.weights)} superpixels explain")
    for one in facts["boxes"]:
        x, y, width, height = one["box"]
        echo(f"box at x {x:.3f}, y {y:.3f}, width {width:.3f}, height {height:.3f}; weight {one['weight']:.3f}")
    if not facts["boxes"] and not found.constant:
        echo("no box: no part of the picture raises the score")
    echo(
        f"{facts['samples']} pictures in {facts['calls']} calls and {facts['seconds']:.1f} s, "
        f"{facts['pictures_per_s']:.1f} a second"
    )
    echo(f"written: {', '.join(facts['files'])}")
