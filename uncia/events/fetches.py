"""Requests of whole photographs that gateways behind thin links hold."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from uncia.events.base import Event, Name, UtcTime


class FetchReason(StrEnum):
    """Why a whole photograph was requested."""

    PERSON = "person"
    """A person requested it."""
    TAXON = "taxon"
    """The verdict is one of `UNCIA_FETCH_TAXA`."""
    UNCERTAIN = "uncertain"
    """The verdict is an animal of an uncertain taxon (`UNCIA_FETCH_UNCERTAIN`)."""


class FetchRequested(Event):
    """The whole photograph of a thumbnail is to be sent. Key: `camera`."""

    topic: ClassVar[str] = "camera.fetch.requested.v1"

    fetch_id: Name = Field(description="derived from the thumbnail's key: a repeated request is the same request")
    station: Name
    camera: Name
    image_id: Name = Field(description="of the thumbnail")
    key: Name = Field(description="object key of the thumbnail")
    burst_id: Name | None = Field(default=None, description="the burst for whose sake it was requested")
    reason: FetchReason
    requested_by: Name | None = Field(default=None, description="account of the person who requested it on a page")
    requested_at: UtcTime
