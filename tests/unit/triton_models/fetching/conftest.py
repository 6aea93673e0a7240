"""A publisher on a free port, for each test without files and requests."""

from collections.abc import Iterator

import pytest

from tests.unit.triton_models.fetching.publisher import Publisher, running_publisher


@pytest.fixture(scope="module")
def server() -> Iterator[Publisher]:
    with running_publisher() as publisher:
        yield publisher


@pytest.fixture
def publisher(server: Publisher) -> Publisher:
    server.files, server.requests = {}, []
    return server
