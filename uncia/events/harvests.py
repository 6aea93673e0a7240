"""Downloads that a harvest leaves to workers: requests, their outcomes, and hosts that are to be left alone."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from uncia.events.base import Event, FreeText, Name, UtcTime

Url = Annotated[str, Field(max_length=8192)]
HexId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""32 hexadecimal digits: safe in an object key."""
Host = Annotated[str, Field(min_length=1, max_length=255)]


class FetchState(StrEnum):
    """How a download ended."""

    STORED = "stored"
    """The bytes are in the object store."""
    FAILED = "failed"


class HarvestPictureRequested(Event):
    """A picture is to be downloaded. Key: `host`."""

    topic: ClassVar[str] = "harvest.picture.requested.v1"

    harvest_id: HexId
    request_id: HexId = Field(description="a repeated request has the same id, and is carried out once")
    url: Url = Field(description="what to fetch; after a redirect to another host, its target")
    host: Host = Field(description="host of the URL, in lower case, without a port")
    redirects: int = Field(default=0, ge=0, description="redirects to other hosts so far")
    contact: Annotated[str, Field(max_length=200, pattern=r"^[ -~]*$")] = Field(
        description="e-mail or web address of who harvests, for the User-Agent header"
    )
    interval_s: float = Field(ge=0, le=86_400, description="least seconds between two requests to the host")
    requested_at: UtcTime


class HarvestPictureFetched(Event):
    """A download ended. Key: `harvest_id`."""

    topic: ClassVar[str] = "harvest.picture.fetched.v1"

    harvest_id: HexId
    request_id: HexId
    host: Host = Field(description="host that answered last")
    worker: Name = Field(description="the process that fetched it: name of the machine and process id")
    state: FetchState
    key: Name | None = Field(default=None, description="object key of the bytes")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    size: int | None = Field(default=None, ge=0, description="bytes")
    reason: Name | None = Field(default=None, description="short code of a failure")
    message: FreeText | None = None
    temporary: bool = Field(default=False, description="whether another attempt may succeed")
    ended_at: UtcTime = Field(description="of a stored picture: when it was retrieved")


class HarvestHostPaused(Event):
    """A host is to be left alone by every worker. Key: `host`."""

    topic: ClassVar[str] = "harvest.host.paused.v1"

    host: Host
    until: UtcTime
    reason: Name = Field(description="`retry-after`: the host requires it; `failing`: it failed several times in a row")
