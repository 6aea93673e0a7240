"""Events in which every text is hostile."""

from collections.abc import Iterator

from tests.unit.dashboard.catalogue.catalogue_data import ProjectEvents
from uncia.events import (
    BurstCategory,
    BurstResolved,
    CropPublished,
    DeploymentChanged,
    Event,
    ExplanationRequested,
    ImagePredicted,
    ObservationReviewed,
    Rejection,
)

HTML = """</script></style></title><x-evil onload=alert(1)>'" data-evil="1" {{ 77777 * 33333 }}"""
TERMINAL = "\x1b]0;title\x07\x1b[31mred\r\n\r\nevent: burst\ndata: {}\n\n"
REVERSED = "photo\u202egpj.exe"
FORMULA = '=HYPERLINK("http://127.0.0.1/"&A1,"open")'
NAMES = {"HTML": HTML, "terminal codes": TERMINAL, "text direction": REVERSED, "a formula": FORMULA}


def hostile_events(name: str) -> Iterator[Event]:
    """A burst, its photograph, crop, deployment, explanation and review, in which every text is `name`."""
    found: dict[type, Event] = {}
    for event in ProjectEvents(200, seed=3):
        if not isinstance(event, BurstResolved) or (event.category is BurstCategory.ANIMAL and event.verdict):
            found.setdefault(type(event), event)
    burst = found[BurstResolved]
    assert isinstance(burst, BurstResolved) and burst.verdict
    place = {"station": name, "camera": f"{name}/{name}"}
    about = {**place, "burst_id": "bst-hostile"}
    taxon = burst.verdict.model_copy(update={"taxon": name, "label": name, "rank": name, "certain": True})
    frames = tuple(
        frame.model_copy(
            update={"image_id": f"img-hostile-{at}", "key": f"{name}/{name}.JPG", "rejection": _rejection(name, at)}
        )
        for at, frame in enumerate(burst.frames)
    )
    yield found[DeploymentChanged].model_copy(update={"camera": place["camera"], "deployment_id": name})
    for at, frame in enumerate(frames):
        yield found[ImagePredicted].model_copy(
            update={
                **place,
                "image_id": frame.image_id,
                "upload_id": frame.upload_id,
                "key": frame.key,
                "rejection": frame.rejection,
                "capture": found[ImagePredicted].capture.model_copy(  # type: ignore[attr-defined]
                    update={"make": name, "model": name, "serial": name}
                ),
                "prediction": None if at else found[ImagePredicted].prediction,  # type: ignore[attr-defined]
            }
        )
    yield burst.model_copy(
        update={
            **about,
            "frames": frames,
            "verdict": taxon,
            "taxa": (taxon,),
            "flags": (name,),
            "changes": (name,),
            "models": (name,),
            "rule": name,
            "settings": name,
            "fusion": name,
        }
    )
    image = {"image_id": "img-hostile-0"}
    yield found[CropPublished].model_copy(update={**about, **image, "crop_id": "crp-hostile", "withdrawn": None})
    yield found[ExplanationRequested].model_copy(update={**place, **image, "explanation_id": "exp-hostile"})
    review = found[ObservationReviewed]
    assert isinstance(review, ObservationReviewed)
    seen = review.observations[0].model_copy(update={"taxon": name, "label": name, "rank": name, "boxes": ()})
    yield review.model_copy(
        update={
            **about,
            "review_id": "rev-hostile",
            "reviewer": name,
            "observations": (seen,),
            "images": (),
            "marks": (name,),
            "comment": name,
        }
    )


def _rejection(name: str, at: int) -> Rejection | None:
    return Rejection(reason=name, message=name) if at else None
