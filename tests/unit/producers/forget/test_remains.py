"""What is left is named."""

from datetime import UTC, datetime

import pytest

from uncia.producers.forget.remains import what_remains


@pytest.mark.parametrize("topic", ["camera.individual.decided.v1", "camera.individual.sighted.v1"])
def test_what_is_known_about_individuals_is_named(topic: str) -> None:
    assert any(topic in sentence for sentence in what_remains(datetime(2026, 5, 1, tzinfo=UTC)))
