"""Live before backfill: a card of old photographs does not delay new ones."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from tests.stack.containers import ContainerStack
from tests.stack.photographs import photograph
from tests.stack.result_consumer import ResultConsumer
from uncia.events import ImagePredicted, Lane
from uncia.infra.local.stack import Stack

Upload = Callable[[str, bytes], str]
Predicted = Callable[..., ImagePredicted]

CARD = 200


def key(camera: str, taken: datetime, number: int) -> str:
    return f"{camera}/{taken:%Y/%m/%d}/{taken:%Y%m%dT%H%M%S}-{number:016x}.jpg"


def test_live_photographs_overtake_a_card_of_old_ones(
    upload: Upload, predicted: Predicted, results: ResultConsumer, station: str
) -> None:
    old = [key(f"{station}/card", datetime(2024, 3, 1, 6, number // 60, number % 60), number) for number in range(CARD)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: upload(name, photograph(len(name) + int(name[-20:-4], 16))), old))
    results.wait_for(lambda: results.predictions(old[0]), 60, "the first prediction of the card")
    predicted_before = sum(bool(results.predictions(name)) for name in old)
    live = [key(f"{station}/live", datetime.now(UTC), number) for number in range(3)]
    for number, name in enumerate(live):
        upload(name, photograph(500 + number))
        assert predicted(name, 60).lane is Lane.LIVE
    remaining = CARD - sum(bool(results.predictions(name)) for name in old)

    assert predicted_before < CARD
    assert remaining > 0, "the whole card was predicted before three live photographs"
    predictions = results.wait_for(
        lambda: images if len(images := [a for name in old for a in results.predictions(name)]) >= CARD else None,
        180,
        "predictions of the whole card",
    )
    assert {image.lane for image in predictions} == {Lane.BACKFILL}


def test_status_reports_both_lanes(
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
