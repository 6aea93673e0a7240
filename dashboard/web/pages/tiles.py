"""Background of the map: tiles from a folder of the user, since nothing is loaded from the internet."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Response
from fastapi import Path as PathParameter

from uncia.dashboard.web.context import Viewing
from uncia.dashboard.web.strings import TEXT

router = APIRouter(tags=["numbers"])

_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_ADDRESS = "/tiles/{z}/{x}/{y}"

Zoom = Annotated[int, PathParameter(ge=0, le=24)]
Number = Annotated[int, PathParameter(ge=0, lt=2**24)]


def tile_address(folder: Path | None) -> str:
    """The address of tiles as Leaflet fills it in; empty without a folder."""
    return _ADDRESS if folder is not None else ""


@router.get(_ADDRESS, response_class=Response, include_in_schema=False)
def show_tile(context: Viewing, z: Zoom, x: Number, y: Number) -> Response:
    """One tile of the background, in the numbering of OpenStreetMap."""
    folder = context.services.settings.dashboard_tiles
    for ending, media_type in _TYPES.items() if folder is not None else ():
        path = Path(folder or "", str(z), str(x), f"{y}.{ending}")
        if path.is_file():
            headers = {"cache-control": "private, max-age=86400"}
            return Response(path.read_bytes(), media_type=media_type, headers=headers)
    raise HTTPException(404, TEXT["error.not_found"])
