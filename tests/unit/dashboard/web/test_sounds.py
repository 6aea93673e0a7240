"""The pages of sounds: the list of calls, one call, its spectrogram, and who may listen to it."""

import io
import json
import wave
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from tests.unit.dashboard.catalogue.sound_data import BEGAN, analysed, call_in, person_in
from tests.unit.dashboard.web.alert_data import fold_events
from tests.unit.dashboard.web.conftest import SignIn
from tests.unit.dashboard.web.sound_site import RATE, MemoryStore, fold_sounds
from uncia.audit import read_audit
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.byte_range import ranged_response
from uncia.dashboard.web.recordings import RecordingService
from uncia.dashboard.web.services import Services
from uncia.errors import DependencyDown
from uncia.events import SoundHeard
from uncia.storage.object_store import ObjectChanged

DENIED = [Role.VIEWER, Role.RANGER, Role.OPERATOR]
ALLOWED = [Role.REVIEWER, Role.ADMIN]


@pytest.fixture
def store(services: Services) -> MemoryStore:
    memory = MemoryStore()
    services.recordings = RecordingService(memory)
    return memory


@pytest.fixture
def heard(writable_catalogue: Engine, store: MemoryStore) -> list[SoundHeard]:
    """Three wolves and a voice at the ridge, a dog at the pass."""
    return fold_sounds(writable_catalogue, store)


def address(call: SoundHeard) -> str:
    return f"/sounds/{call.call_id}"


def test_without_a_recording_the_page_says_what_to_do(sign_in: SignIn) -> None:
    html = sign_in().get("/sounds").text
    assert "UNCIA_LISTEN=true" in html and "uncia gateway watch" in html
    assert "<table" not in html and "sound-filters" not in html


def test_recordings_in_which_nothing_was_heard_are_mentioned(sign_in: SignIn, writable_catalogue: Engine) -> None:
    fold_events(writable_catalogue, analysed())
    assert "nothing was heard in them" in sign_in().get("/sounds").text


def test_calls_are_listed_the_latest_first(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    shown = sign_in().get("/sounds.json").json()
    ordered = sorted(heard, key=lambda call: call.started_at, reverse=True)
    assert [one["call_id"] for one in shown["sounds"]] == [call.call_id for call in ordered]
    assert (shown["total"], shown["recorders"]) == (5, ["pass/audio-1", "ridge/audio-1"])
    assert [(one["value"], one["calls"]) for one in shown["taxa"]] == [
        ("Canis lupus", 3),
        ("dog", 1),
        ("Homo sapiens", 1),
    ]


def test_a_score_is_never_shown_as_a_probability(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    calibrated, uncertain, certain = (
        sign_in().get("/sounds.json", params={"taxon": "Canis lupus"}).json()["sounds"][::-1]
    )
    assert (calibrated["name"], calibrated["evidence"]) == ("wolf", "91 %")
    assert (uncertain["name"], uncertain["evidence"]) == ("wolf?", "score 0.42")
    assert (certain["name"], certain["evidence"]) == ("wolf", "score 0.83")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("camera=pass/audio-1", 1),
        ("camera=pass/audio-1&camera=ridge/audio-1", 5),
        ("taxon=Carnivora", 3),
        ("taxon=dog", 1),
        (f"since={BEGAN.date() + timedelta(days=1)}", 1),
        (f"until={BEGAN.date()}", 4),
        ("camera=&taxon=&since=&until=", 5),
    ],
)
def test_the_list_is_limited_by_recorder_taxon_and_days(
    sign_in: SignIn, heard: list[SoundHeard], query: str, count: int
) -> None:
    shown = sign_in().get(f"/sounds.json?{query}").json()
    assert (shown["total"], len(shown["sounds"])) == (count, count)


def test_a_list_without_a_match_offers_to_clear_the_filters(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    html = sign_in().get("/sounds?since=2030-01-01").text
    assert "No call matches these filters." in html and 'href="/sounds"' in html


@pytest.mark.parametrize("query", ["since=x", "until=2026-13-01"])
def test_days_that_are_none_are_refused(sign_in: SignIn, query: str) -> None:
    assert sign_in().get(f"/sounds?{query}").status_code == 422


def test_a_long_list_has_pages_that_keep_the_filters(
    sign_in: SignIn, writable_catalogue: Engine, store: MemoryStore
) -> None:
    fold_sounds(writable_catalogue, store, 60)
    client = sign_in()
    first = client.get("/sounds.json?camera=ridge/audio-1").json()
    second = client.get("/sounds.json", params={"camera": "ridge/audio-1", "after": first["after"]}).json()
    assert [len(page["sounds"]) for page in (first, second)] == [50, 11]
    assert second["after"] is None
    assert "camera=ridge%2Faudio-1&amp;after=" in client.get("/sounds?camera=ridge/audio-1").text
    assert client.get("/sounds.json?after=x").status_code == 409


def test_an_account_sees_calls_of_its_stations_alone(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    client = sign_in(Role.ADMIN, stations=["pass"])
    shown = client.get("/sounds.json").json()
    assert ([one["call_id"] for one in shown["sounds"]], shown["recorders"]) == ([heard[-1].call_id], ["pass/audio-1"])
    hidden = heard[0]
    for path in ("", ".json", "/call.wav"):
        assert client.get(f"{address(hidden)}{path}").status_code == 404
    assert client.get(f"/pictures/spectrograms/{hidden.call_id}.png").status_code == 404


def test_no_page_shows_a_position(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    shown = sign_in().get(f"{address(heard[0])}.json").text + sign_in(Role.ADMIN).get("/sounds.json").text
    assert not any(word in shown for word in ("latitude", "longitude"))


def test_one_call_is_shown_with_all_of_its_recording(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    client = sign_in()
    shown = client.get(f"{address(heard[1])}.json").json()
    assert shown["sound"]["start_s"] == heard[1].start_s
    assert [one["call_id"] for one in shown["calls"]] == [call.call_id for call in heard[:4]]
    assert (shown["before"]["call_id"], shown["following"]["call_id"]) == (heard[0].call_id, heard[2].call_id)
    assert (shown["recording"]["duration_s"], shown["recording"]["channels"]) == (60.0, 1)
    html = client.get(address(heard[1])).text
    assert "6.0 to 10.5 s" in html and f'src="/pictures/spectrograms/{heard[1].call_id}.png"' in html


def test_names_are_shown_as_text(sign_in: SignIn, writable_catalogue: Engine) -> None:
    recording = analysed("ridge/<b>audio</b>", warnings=("<script>1</script>",))
    hostile = call_in(recording, 1.0, "<img src=x onerror=alert(1)>", "'; DROP TABLE sound_calls; --")
    fold_events(writable_catalogue, hostile, recording)
    client = sign_in()
    for path in ("/sounds", "/sounds?taxon=%3Cscript%3E&camera=%3Cscript%3E", address(hostile)):
        html = client.get(path).text
        assert not any(tag in html for tag in ("<img src=x", "<b>audio", "<script>1", '"<script>"'))
    query = {"taxon": "'; DROP TABLE sound_calls; --"}
    assert client.get("/sounds.json", params=query).json()["total"] == 1


def test_an_unknown_call_is_not_found(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    client = sign_in(Role.ADMIN)
    for path in ("/sounds/cal-none", "/sounds/cal-none/call.wav", "/pictures/spectrograms/cal-none.png"):
        assert client.get(path).status_code == 404


def test_a_spectrogram_is_a_png(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    response = sign_in().get(f"/pictures/spectrograms/{heard[0].call_id}.png")
    assert (response.headers["content-type"], response.content[:4]) == ("image/png", b"\x89PNG")


def test_a_voice_has_no_spectrogram(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    client, voice = sign_in(), heard[3]
    assert client.get(f"/pictures/spectrograms/{voice.call_id}.png").status_code == 404
    assert "no spectrogram: a voice was heard" in client.get(address(voice)).text


def test_a_spectrogram_in_which_another_model_version_heard_a_voice_is_for_those_who_may_see_people(
    sign_in: SignIn, services: Services, writable_catalogue: Engine, heard: list[SoundHeard]
) -> None:
    voice = person_in(analysed(model="audio_classifier@1"), heard[0].start_s + 1)
    fold_events(writable_catalogue, voice)
    source = f"/pictures/spectrograms/{heard[0].call_id}.png"
    assert sign_in(Role.VIEWER).get(source).status_code == 404
    assert sign_in(Role.REVIEWER, name="rita").get(source).status_code == 200
    seen = [entry for entry in read_audit(services.audit._path) if entry["action"] == "people_seen"]
    assert [(entry["who"], entry["what"]) for entry in seen] == [
        ("rita", f"{heard[0].recording_id} spectrogram {heard[0].call_id}")
    ]


@pytest.mark.parametrize("role", DENIED)
def test_who_may_not_see_people_cannot_listen(sign_in: SignIn, heard: list[SoundHeard], role: Role) -> None:
    client = sign_in(role)
    assert client.get(f"{address(heard[0])}/call.wav").status_code == 403
    html = client.get(address(heard[0])).text
    assert "<audio" not in html and "reviewers and admins can listen" in html
    assert client.get(f"{address(heard[0])}.json").json()["audio"] is None


@pytest.mark.parametrize("role", ALLOWED)
def test_who_may_see_people_hears_the_call_from_start_to_end(
    sign_in: SignIn, heard: list[SoundHeard], role: Role
) -> None:
    client = sign_in(role)
    source = client.get(f"{address(heard[1])}.json").json()["audio"]
    assert f'src="{source}"' in client.get(address(heard[1])).text
    response = client.get(source)
    assert (response.status_code, response.headers["content-type"]) == (200, "audio/wav")
    assert response.headers["cache-control"] == "no-store"
    with wave.open(io.BytesIO(response.content)) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (RATE, round(4.5 * RATE))


def test_pages_may_play_what_the_dashboard_itself_sends_and_nothing_else(
    sign_in: SignIn, heard: list[SoundHeard]
) -> None:
    policy = sign_in().get(address(heard[0])).headers["content-security-policy"]
    assert [rule for rule in policy.split("; ") if rule.startswith("media-src")] == ["media-src 'self'"]


def test_a_part_of_the_sound_is_sent_on_request(sign_in: SignIn, heard: list[SoundHeard]) -> None:
    client = sign_in(Role.REVIEWER)
    whole = client.get(f"{address(heard[0])}/call.wav").content
    part = client.get(f"{address(heard[0])}/call.wav", headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"


@pytest.mark.parametrize(
    ("requested", "status", "content"),
    [
        (None, 200, b"0123456789"),
        ("bytes=0-", 206, b"0123456789"),
        ("bytes=7-", 206, b"789"),
        ("bytes=7-99", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-99", 206, b"0123456789"),
        ("bytes=10-", 416, b""),
        ("bytes=5-4", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=-", 200, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("lines=0-1", 200, b"0123456789"),
    ],
)
def test_ranges_are_those_of_http(requested: str | None, status: int, content: bytes) -> None:
    response = ranged_response(b"0123456789", requested, "audio/wav", {})
    assert (response.status_code, response.body) == (status, content)
    assert response.headers["accept-ranges"] == "bytes"


def test_each_playback_is_recorded_once_with_whether_a_voice_was_heard(
    sign_in: SignIn, services: Services, heard: list[SoundHeard]
) -> None:
    client = sign_in(Role.REVIEWER, name="rita")
    for _ in range(2):
        client.get(f"{address(heard[0])}/call.wav", headers={"range": "bytes=0-"})
    client.get(f"{address(heard[3])}/call.wav")
    played = [entry for entry in read_audit(services.audit._path) if entry["action"] == "recording_played"]
    assert [(entry["who"], entry["what"], entry["camera"], entry["voice"]) for entry in played] == [
        ("rita", heard[0].call_id, "ridge/audio-1", False),
        ("rita", heard[3].call_id, "ridge/audio-1", True),
    ]


def test_what_cannot_be_played_is_not_recorded_and_says_why(
    sign_in: SignIn, services: Services, heard: list[SoundHeard], store: MemoryStore
) -> None:
    client, source = sign_in(Role.REVIEWER), f"{address(heard[0])}/call.wav"
    store.objects.clear()
    answers = [client.get(source, headers={"accept": "application/json"})]
    store.problem = ObjectChanged("overwritten")
    answers.append(client.get(source, headers={"accept": "application/json"}))
    store.problem = DependencyDown("the store is down")
    answers.append(client.get(source, headers={"accept": "application/json"}))
    assert [answer.status_code for answer in answers] == [404, 404, 503]
    assert [json.loads(answer.text)["detail"] for answer in answers[:2]] == [
        "The recording is no longer stored.",
        "The recording was overwritten: what was analysed is no longer stored.",
    ]
    assert not [entry for entry in read_audit(services.audit._path) if entry["action"] == "recording_played"]


def test_a_recording_that_is_damaged_says_so(sign_in: SignIn, heard: list[SoundHeard], store: MemoryStore) -> None:
    store.objects = {key: b"\x00" * len(data) for key, data in store.objects.items()}
    answer = sign_in(Role.REVIEWER).get(f"{address(heard[0])}/call.wav", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "The recording cannot be read.")
