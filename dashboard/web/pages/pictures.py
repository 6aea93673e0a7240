"""Pictures, streamed through the server with the rights of the caller; no address works without them."""

from typing import Any

from fastapi import APIRouter, HTTPException, Response

from uncia.dashboard.page_parts.assessed_content import AssessedContent
from uncia.dashboard.web.context import Viewing
from uncia.dashboard.web.pictures import PictureSize
from uncia.dashboard.web.strings import TEXT

_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}

router = APIRouter(tags=["pictures"])

_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}
_CACHED = {"cache-control": "private, max-age=3600"}
"""In the browser of the caller alone, for an hour; a photograph's id stands for its content."""


# Before the addresses of photographs, which would match, too.
@router.get("/pictures/crops/{crop_id}.jpg", response_class=Response, responses=_JPEG)
def crop(context: Viewing, crop_id: str) -> Response:
    """A crop that was published and not withdrawn."""
    found = context.services.catalogue.crop(crop_id, stations=context.caller.stations)
    if found is None:
        raise HTTPException(404, TEXT["error.not_found"])
    data = context.services.pictures.crop(found.bucket, found.key, found.sha256)
    return Response(data, media_type="image/jpeg")


@router.get("/pictures/explanations/{explanation_id}.png", response_class=Response, responses=_PNG)
def heat_map(context: Viewing, explanation_id: str) -> Response:
    """The heat map of an explanation."""
    found = context.services.catalogue.explanation(explanation_id, stations=context.caller.stations)
    if found is None or found.bucket is None or found.heat_map_key is None:
        raise HTTPException(404, TEXT["error.not_found"])
    return Response(context.services.pictures.heat_map(found.bucket, found.heat_map_key), media_type="image/png")


@router.get("/pictures/{image_id}/{size}.jpg", response_class=Response, responses=_JPEG)
def photograph(context: Viewing, image_id: str, size: PictureSize) -> Response:
    """A photograph, without its metadata."""
    found = context.services.catalogue.photograph(image_id, stations=context.caller.stations)
    if found is None:
        raise HTTPException(404, TEXT["error.not_found"])
    assessed = AssessedContent(found.camera, found.bucket, found.key, found.upload_id, found.image_id, found.version_id)
    return Response(context.services.pictures.photograph(assessed, size), media_type="image/jpeg", headers=_CACHED)
