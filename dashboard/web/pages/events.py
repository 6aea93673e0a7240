"""The events of the topics, for other people's programs and dashboards."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from uncia.dashboard.web.accounts.roles import Right
from uncia.dashboard.web.context import Viewing, still_valid
from uncia.dashboard.web.strings import TEXT, text
from uncia.dashboard.web.topic_stream import STREAMED_TOPICS, Position, StreamRefused, TopicStream
from uncia.topics import DEPLOYMENT_CHANGED

router = APIRouter(tags=["api"])

_RETRY_S = 30
_TOPICS = {topic.name: topic for topic in STREAMED_TOPICS}


async def open_stream(
    context: Viewing,
    topic: Annotated[
        list[str], Query(description="only this topic; repeatable. Default: all", examples=["camera.burst.resolved.v1"])
    ] = [],  # noqa: B006 - FastAPI copies it
    after: Annotated[str, Query(description="an id of this stream, or 0: everything; empty: from now on")] = "",
    last_event_id: Annotated[str, Header(description="as `after`; browsers send it when they reconnect")] = "",
) -> AsyncIterator[TopicStream]:
    """Connect before the response begins, so that what fails has a status of its own."""
    unknown = [name for name in topic if name not in _TOPICS]
    if unknown:
        raise HTTPException(422, text("refused.topic", topic=unknown[0], topics=", ".join(_TOPICS)))
    chosen = [_TOPICS[name] for name in dict.fromkeys(topic)] or list(STREAMED_TOPICS)
    # The header is newer than the address, which stays as it was when the client connected first.
    position = Position.parse(last_event_id) or Position.parse(after)
    if DEPLOYMENT_CHANGED in chosen and context.caller.may(Right.EXACT_POSITIONS):
        context.services.audit.record_once("positions_read", context.caller.name, "all cameras", page="/events")
    try:
        stream = await context.services.topic_streams.open(context.caller, chosen, position)
    except StreamRefused as error:
        raise HTTPException(429, TEXT["error.too_many_streams"], {"retry-after": str(_RETRY_S)}) from error
    try:
        yield stream
    finally:
        stream.close()


@router.get("/events", response_class=EventSourceResponse)
async def events(
    context: Viewing, stream: Annotated[TopicStream, Depends(open_stream)]
) -> AsyncIterator[ServerSentEvent]:
    """The events of the topics, as `docs/events.md` describes them, that the caller may see: server-sent events that
    are named after their topic. Positions of deployments are rounded unless the role may have them exactly.

    A client that reconnects with the last id that it got misses nothing; it may get an event twice. Events of one
    camera in one topic are in order.
    """
    valid = still_valid(context)
    async for event in stream.events():
        if not await valid():
            return
        yield ServerSentEvent(event=event.topic or None, raw_data=event.data, id=event.position)
