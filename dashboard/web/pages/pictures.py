"""Pictures, streamed through the server with the rights of the caller; no address works without them.

Of a burst with a person, accounts without the right to see people get blurred copies of photographs, and neither crops
nor heat maps; of a part of a recording with a voice no spectrogram. Those with the right get all of them, and each
viewing is recorded in the audit log.
"""

from typing import Any

from fastapi import APIRouter, HTTPException, Response

from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.web.accounts.roles import Right
from uncia.dashboard.web.context import Context, Viewing
from uncia.dashboard.web.pictures import NoPicture, PictureSize
from uncia.dashboard.web.strings import TEXT

_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}

router = APIRouter(tags=["pictures"])

_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}
_CACHED = {"cache-control": "private, max-age=3600"}
"""In the browser of the caller alone, for an hour; a photograph's id stands for its content."""

_PERSON = {"cache-control": "no-store"}
"""Pictures of people: a browser keeps none, so that each viewing reaches the server, and is recorded."""


# Before the addresses of photographs, which would match, too.
@router.get("/pictures/spectrograms/{call_id}.png", response_class=Response, responses=_PNG)
def spectrogram(context: Viewing, call_id: str) -> Response:
    """The spectrogram of a call. There is none where a voice was heard in the same window; where another model version
    heard one, only accounts that may see people get it."""
    found = context.services.sounds.call(call_id, stations=context.caller.stations)
    if found is None or found.spectrogram is None:
        raise HTTPException(404, TEXT["error.not_found"])
    if found.voice and not context.caller.may(Right.PEOPLE):
        raise NoPicture(TEXT["sound.withheld"])
    drawn = found.spectrogram
    png = context.services.pictures.spectrogram(drawn.bucket, drawn.key, drawn.sha256)
    if found.voice:
        context.record_people_seen(found.call.recording_id, found.call.camera, f"spectrogram {call_id}")
    return Response(png, media_type="image/png")


@router.get("/pictures/crops/{crop_id}.jpg", response_class=Response, responses=_JPEG)
def crop(context: Viewing, crop_id: str) -> Response:
    """A crop that was published and not withdrawn, or an imported picture of an individual."""
    found = context.services.catalogue.crop(crop_id, stations=context.caller.stations)
    if found is None and context.caller.stations is None:
        # An imported picture is of no station.
        imported = context.services.individuals.imported_crop(crop_id)
        if imported is not None:
            data = context.services.pictures.imported(imported.bucket, imported.key)
            return Response(data, media_type="image/jpeg")
    if found is None:
        raise HTTPException(404, TEXT["error.not_found"])
    _require_people(context, found.image_id, f"crop {crop_id}")
    data = context.services.pictures.crop(found.bucket, found.key, found.sha256)
    return Response(data, media_type="image/jpeg")


@router.get("/pictures/explanations/{explanation_id}.png", response_class=Response, responses=_PNG)
def heat_map(context: Viewing, explanation_id: str) -> Response:
    """The heat map of an explanation."""
    found = context.services.catalogue.explanation(explanation_id, stations=context.caller.stations)
    if found is None or found.bucket is None or found.heat_map_key is None:
        raise HTTPException(404, TEXT["error.not_found"])
    _require_people(context, found.image_id, f"explanation {explanation_id}")
    return Response(context.services.pictures.heat_map(found.bucket, found.heat_map_key), media_type="image/png")


@router.get("/pictures/{image_id}/{size}.jpg", response_class=Response, responses=_JPEG)
def photograph(context: Viewing, image_id: str, size: PictureSize) -> Response:
    """A photograph, without its metadata."""
    found = context.services.catalogue.photograph(image_id, stations=context.caller.stations)
    if found is None:
        raise HTTPException(404, TEXT["error.not_found"])
    assessed = AssessedContent(found.camera, found.bucket, found.key, found.upload_id, found.image_id, found.version_id)
    hidden = context.hidden_people(image_id)
    if hidden is not None and context.caller.may(Right.PEOPLE):
        jpeg = context.services.pictures.photograph(assessed, size)
        # After the picture was read, and before it is sent: what is not there was not seen.
        context.record_people_seen(image_id, found.camera, size.value)
    else:
        jpeg = context.services.pictures.photograph(assessed, size, hidden)
    return Response(jpeg, media_type="image/jpeg", headers=_CACHED if hidden is None else _PERSON)


def _require_people(context: Context, image_id: str, what: str) -> None:
    """Refuse a part of a photograph that shows, or may show, a person; record that it is seen."""
    if context.hidden_people(image_id) is None:
        return
    if not context.caller.may(Right.PEOPLE):
        raise NoPicture(TEXT["picture.person_part"])
    context.record_people_seen(image_id, "", what)
