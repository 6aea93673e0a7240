"""Live before backfill: a card of old photographs does not hold up what was photographed just now."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from tests.stack.containers import ContainerStack
from tests.stack.photographs import photograph
from tests.stack.witness import Witness
from uncia.events import ImagePredicted, Lane
from uncia.infra.local.stack import Stack

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]

CARD = 200


def key(camera: str, taken: datetime, number: int) -> str:
    return f"{camera}/{taken:%Y/%m/%d}/{taken:%Y%m%dT%H%M%S}-{number:016x}.jpg"


def test_live_photographs_overtake_a_card_of_old_ones(
    upload: Upload, predicted: Predicted, witness: Witness, station: str
) -> None:
    old = [key(f"{station}/card", datetime(2024, 3, 1, 6, number // 60, number % 60), number) for number in range(CARD)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: upload(name, photograph(len(name) + int(name[-20:-4], 16))), old))
    witness.wait_for(lambda: witness.predictions(old[0]), 60, "the card's first answer")
    before = sum(bool(witness.predictions(name)) for name in old)
    live = [key(f"{station}/live", datetime.now(UTC), number) for number in range(3)]
    for number, name in enumerate(live):
        upload(name, photograph(500 + number))
        assert predicted(name, 60).lane is Lane.LIVE
    overtaken = CARD - sum(bool(witness.predictions(name)) for name in old)

    assert before < CARD
    assert overtaken > 0, "the card was answered before three live photographs"
    answers = witness.wait_for(
        lambda: found if len(found := [a for name in old for a in witness.predictions(name)]) >= CARD else None,
        180,
        "answers to the whole card",
    )
    assert {answer.lane for answer in answers} == {Lane.BACKFILL}


def test_status_tells_both_lanes(
    stack: Stack | ContainerStack, upload: Upload, predicted: Predicted, station: str
) -> None:
    for camera, taken in (("card", datetime(2024, 3, 1)), ("live", datetime.now(UTC))):
        upload(key(f"{station}/{camera}", taken, 1), photograph(510))
        predicted(key(f"{station}/{camera}", taken, 1))

    shown = subprocess.run(
        [sys.executable, "-m", "uncia", "status", "--json"],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    stream = json.loads(shown.stdout)["stream"]
    assert [lane["lane"] for lane in stream["latency"]] == ["live", "backfill"]
    assert {"predict", "predict-backfill"} <= {lag["worker"] for lag in stream["lag"]}
