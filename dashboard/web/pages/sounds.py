"""Sounds: the calls in recordings, and one with its spectrogram and a player.

A person may be heard in any recording, whether or not the model has a class for voices: only accounts that may see
people can listen, and each playback is recorded in the audit log.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel

from uncia.dashboard.catalogue.rows import HeardClass, SoundDetail
from uncia.dashboard.web.accounts.roles import Right
from uncia.dashboard.web.byte_range import ranged_response
from uncia.dashboard.web.context import Context, SeeingPeople, Viewing
from uncia.dashboard.web.page_route import page
from uncia.dashboard.web.sound_query import SoundQuery
from uncia.dashboard.web.sound_view import SoundView, sound_view
from uncia.dashboard.web.strings import TEXT, text
from uncia.sound.excerpt import MAX_EXCERPT_S

router = APIRouter(tags=["sounds"])

_PAGE = 50
_ONE_PLAYBACK_S = 60.0


class SoundTaxon(BaseModel):
    """What the list can be limited to."""

    value: str
    """`taxon` of the query."""
    name: str
    calls: int


class SoundsPage(BaseModel):
    """One page of the list of calls."""

    query: SoundQuery
    sounds: list[SoundView]
    after: str | None
    """`after` of the next page; None: this is the last."""
    total: int
    """Number of calls that the filters allow."""
    recorders: list[str]
    """Those of which recordings were analysed."""
    taxa: list[SoundTaxon]


class SpectrogramView(BaseModel):
    """What a spectrogram shows."""

    start_s: float
    end_s: float
    low_hz: float
    high_hz: float


class RecordingView(BaseModel):
    """The recording of a call."""

    recording_id: str
    key: str
    recorded_at: datetime
    """By the recorder's clock."""
    duration_s: float | None
    sample_rate_hz: int | None
    channels: int | None
    calls: int | None
    warnings: list[str]


class SoundPage(BaseModel):
    """One call."""

    sound: SoundView
    spectrogram: SpectrogramView | None
    recording: RecordingView
    audio: str | None
    """Address of the call as WAV; None: the account may not listen."""
    audio_s: float
    """Seconds of the call that can be played."""
    voice: bool
    """A person was heard in the same part of the recording."""
    before: SoundView | None
    """The call before in the same recording."""
    following: SoundView | None
    calls: list[SoundView]
    """Those of the same recording in the order of their starts, this one included."""
    rank: str | None
    threshold: float | None
    windows: int
    model: str
    label_set: str
    rule: str
    settings: str


@page(router, "/sounds", "sounds.html.j2")
def show_sounds(context: Viewing, query: Annotated[SoundQuery, Query()]) -> SoundsPage:
    """Calls in sound recordings by recorder, taxon and days, the latest first."""
    sounds, stations, chosen = context.services.sounds, context.caller.stations, query.to_filter()
    found = sounds.page(chosen, _PAGE, query.after, stations)
    return SoundsPage(
        query=query,
        sounds=[sound_view(row) for row in found.rows],
        after=found.after,
        total=sounds.count(chosen, stations),
        recorders=sounds.recorders(stations),
        taxa=_taxa(sounds.classes(stations)),
    )


@router.get("/sounds/{call_id}/call.wav", include_in_schema=False, response_class=Response)
def excerpt(context: SeeingPeople, request: Request, call_id: str) -> Response:
    """The part of its recording that a call covers, up to a minute; for accounts that may see people."""
    found = _found(context, call_id)
    call = found.call
    data = context.services.recordings.excerpt(found.recording, call.start_s, call.end_s)
    # After it was read, and before it is sent; a browser may ask for it in several parts.
    context.services.audit.record_once(
        "recording_played",
        context.caller.name,
        call_id,
        within_s=_ONE_PLAYBACK_S,
        camera=call.camera,
        recording=call.recording_id,
        voice=found.voice,
    )
    headers = {"cache-control": "no-store", "content-disposition": f'inline; filename="{_file_name(call_id)}.wav"'}
    return ranged_response(data, request.headers.get("range"), "audio/wav", headers)


@page(router, "/sounds/{call_id}", "sound.html.j2")
def show_sound(context: Viewing, call_id: str) -> SoundPage:
    """One call: its spectrogram, the sound itself, how it came about, and the other calls of its recording."""
    found = _found(context, call_id)
    call, drawn = found.call, found.spectrogram
    calls = [sound_view(row) for row in found.calls]
    at = next((number for number, one in enumerate(calls) if one.call_id == call_id), None)
    view = sound_view(call)
    return SoundPage(
        sound=view,
        spectrogram=drawn
        and SpectrogramView(start_s=drawn.start_s, end_s=drawn.end_s, low_hz=drawn.low_hz, high_hz=drawn.high_hz),
        recording=RecordingView(
            recording_id=found.recording.recording_id,
            key=found.recording.key,
            recorded_at=found.recording.recorded_at,
            duration_s=found.recording.duration_s,
            sample_rate_hz=found.recording.sample_rate_hz,
            channels=found.recording.channels,
            calls=found.recording.calls,
            warnings=found.recording.warnings,
        ),
        audio=f"{view.href}/call.wav" if context.caller.may(Right.PEOPLE) else None,
        audio_s=min(call.end_s - call.start_s, MAX_EXCERPT_S),
        voice=found.voice,
        before=calls[at - 1] if at else None,
        following=calls[at + 1] if at is not None and at + 1 < len(calls) else None,
        calls=calls,
        rank=found.rank,
        threshold=found.threshold,
        windows=found.windows,
        model=found.model,
        label_set=found.label_set,
        rule=found.rule,
        settings=found.settings,
    )


def _found(context: Context, call_id: str) -> SoundDetail:
    found = context.services.sounds.call(call_id, context.caller.stations)
    if found is None:
        raise HTTPException(404, TEXT["error.not_found"])
    return found


def _taxa(classes: list[HeardClass]) -> list[SoundTaxon]:
    """One for each taxon, whatever it is called, and for each label without a taxon."""
    found: dict[str, SoundTaxon] = {}
    for one in classes:
        value = one.taxon or one.label
        if value in found:
            found[value].calls += one.calls
        else:
            name = text("sounds.named", label=one.label, taxon=one.taxon) if one.taxon else one.label
            found[value] = SoundTaxon(value=value, name=name, calls=one.calls)
    return sorted(found.values(), key=lambda one: (-one.calls, one.name))


def _file_name(call_id: str) -> str:
    """The id, as far as a header holds it."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in call_id)[:100]
