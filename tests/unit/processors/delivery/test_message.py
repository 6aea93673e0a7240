"""What a channel receives: nothing that it may not know, on one line, with the offset of the camera's clock."""

import json

import pytest

from tests.unit.processors.delivery.examples import LATITUDE, LONGITUDE, TAXA, alert, channel, deployment
from uncia.events import AlertRaised, Sensitivity
from uncia.processors.delivery.channels import Channel, PositionDetail
from uncia.processors.delivery.message import AlertMessage, Position, message_of

URL = "https://uncia.example/"
EXACT, COARSE = PositionDetail.EXACT, PositionDetail.COARSE


def message_for(one: Channel, event: AlertRaised | None = None) -> AlertMessage:
    return message_of(event or alert(), one, deployment(), URL, TAXA)


@pytest.mark.parametrize("one", [channel(), channel(position=EXACT)], ids=["plain", "not trusted"])
def test_a_channel_that_is_not_trusted_learns_no_position_link_or_burst(one: Channel) -> None:
    message = message_for(one)
    for shown in (json.dumps(message.as_json()), message.text(), message.title):
        for secret in ("47.1", "85.6", "https://", "bst-", "15 m"):
            assert secret not in shown


def test_a_trusted_channel_gets_a_link_and_no_position_that_it_does_not_want() -> None:
    message = message_for(channel(trusted=True))
    assert message.link == "https://uncia.example/bursts/bst-5e1f"
    assert message.position is None
    assert f"after signing in: {message.link}" in message.text()


def test_a_trusted_channel_gets_the_exact_position_where_it_wants_it() -> None:
    message = message_for(channel(trusted=True, position=EXACT))
    assert message.position == Position(LATITUDE, LONGITUDE, 15)
    assert "Position: 47.123456, 85.654321 (within 15 m)" in message.text()


def of_taxon(taxon: str | None) -> AlertRaised:
    event = alert()
    return event.model_copy(update={"bursts": tuple(one.model_copy(update={"taxon": taxon}) for one in event.bursts)})


def test_a_coarse_position_is_that_of_the_stricter_of_deployment_and_taxon() -> None:
    one = channel(trusted=True, position=COARSE)
    open_place = deployment(coordinate_sensitivity=Sensitivity.MEDIUM)
    position = message_of(of_taxon("Marmota baibacina"), one, open_place, URL, TAXA).position
    assert position is not None and (position.latitude, position.longitude) == (47.12, 85.65)
    assert message_of(of_taxon("Panthera uncia"), one, open_place, URL, TAXA).position is None


def test_a_channel_that_is_not_trusted_gets_no_coarse_position_either() -> None:
    open_place = deployment(coordinate_sensitivity=Sensitivity.LOW)
    assert message_of(of_taxon(None), channel(position=COARSE), open_place, URL, TAXA).position is None


def test_times_have_the_offset_of_the_deployment_or_none() -> None:
    assert message_for(channel()).as_json()["started_at"] == "2026-05-01T21:36:00+05:00"
    unknown = message_of(alert(), channel(), None, URL, TAXA)
    assert unknown.as_json()["started_at"] == "2026-05-01T21:36:00"
    assert "Time: 2026-05-01 21:36:00\n" in unknown.text()


def test_the_names_of_a_camera_stay_on_their_line() -> None:
    event = alert(summary="wolf at ridge\n\x1b[31m\u202e, now").model_copy(
        update={"camera": "ridge/a\r\nb", "rule": "r\x00"}
    )
    message = message_for(channel(), event)
    for shown in (message.sentence, message.camera, message.rule):
        assert shown.isprintable()


def test_an_alert_without_bursts_is_told_by_the_time_of_the_log() -> None:
    event = alert().model_copy(update={"bursts": ()})
    assert message_for(channel(trusted=True), event).started_at == event.raised_at
