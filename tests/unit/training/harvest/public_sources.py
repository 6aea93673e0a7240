"""A server on loopback that speaks the JSON of the public sources, written by hand from their documentation."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

from tests.unit.processors.delivery.http_receiver import Answer, Receiver, Request, receiving

Respond = Callable[[str, dict[str, str]], Answer | None]
"""By path and query; None: 404."""


def picture(seed: int, size: tuple[int, int] = (160, 120), kind: str = "JPEG") -> bytes:
    """A picture of coarse noise, different for each seed."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(out, kind, quality=92)
    return out.getvalue()


def as_json(document: Any, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(document).encode())


def as_picture(data: bytes) -> Answer:
    return Answer(200, {"Content-Type": "image/jpeg"}, data)


@contextmanager
def serving(respond: Respond) -> Iterator[Receiver]:
    """A server; without a rule for it, `robots.txt` is absent."""

    def answer(request: Request) -> Answer:
        parts = urlsplit(request.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        return respond(parts.path, query) or Answer(404)

    with receiving(respond=answer) as server:
        yield server


def inaturalist_photo(identity: int, url: str, licence: str | None = "cc-by") -> dict[str, Any]:
    return {
        "id": identity,
        "license_code": licence,
        "attribution": "(c) Ada, some rights reserved (CC BY)",
        "url": url,
        "original_dimensions": {"height": 120, "width": 160},
    }


def inaturalist_page(*photos: dict[str, Any], observation: int = 1) -> dict[str, Any]:
    return {
        "total_results": 1,
        "page": 1,
        "per_page": 200,
        "results": [
            {
                "id": observation,
                "uri": f"https://www.inaturalist.org/observations/{observation}",
                "time_observed_at": "2024-03-02T10:11:12+06:00",
                "user": {"login": "ada", "name": "Ada"},
                "taxon": {"id": 74831, "name": "Panthera uncia", "rank": "species"},
                "photos": list(photos),
            }
        ],
    }


def gbif_page(*media: dict[str, Any], key: int = 7, end: bool = True) -> dict[str, Any]:
    return {
        "offset": 0,
        "limit": 300,
        "endOfRecords": end,
        "count": 1,
        "results": [
            {
                "key": key,
                "license": "http://creativecommons.org/licenses/by/4.0/legalcode",
                "scientificName": "Panthera uncia (Schreber, 1775)",
                "recordedBy": "Bo",
                "eventDate": "2023-05-06T07:08:09",
                "media": list(media),
            }
        ],
    }


def gbif_medium(url: str, licence: str | None) -> dict[str, Any]:
    medium = {"type": "StillImage", "format": "image/jpeg", "identifier": url, "creator": "Bo"}
    return medium if licence is None else {**medium, "license": licence}


def commons_page(url: str, *, title: str = "File:Meadow.jpg", artist: str = "<a href='x'>Cy</a>") -> dict[str, Any]:
    return {
        "batchcomplete": True,
        "query": {
            "pages": [
                {
                    "pageid": sum(url.encode()),
                    "ns": 6,
                    "title": title,
                    "imageinfo": [
                        {
                            "thumburl": url,
                            "url": url,
                            "descriptionurl": "https://commons.wikimedia.org/wiki/File:Meadow.jpg",
                            "mime": "image/jpeg",
                            "extmetadata": {
                                "Artist": {"value": artist},
                                "LicenseShortName": {"value": "CC BY-SA 3.0 at"},
                                "DateTimeOriginal": {"value": "2011-07-01 12:00:00"},
                            },
                        }
                    ],
                }
            ]
        },
    }


def openverse_page(url: str, *, licence: str = "by-sa", title: str = "A piano") -> dict[str, Any]:
    return {
        "result_count": 1,
        "page_count": 1,
        "page_size": 20,
        "page": 1,
        "results": [
            {
                "id": f"9e9bd2a2-0000-4000-8000-{len(title):012}",
                "title": title,
                "foreign_landing_url": "https://example.org/piano",
                "url": url,
                "creator": "Di",
                "license": licence,
                "license_version": "2.0",
                "tags": [{"name": "music"}],
            }
        ],
    }
