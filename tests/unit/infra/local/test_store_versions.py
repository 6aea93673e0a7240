"""Versions of the upload bucket are switched when the setting changes, and left alone otherwise."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uncia.infra.local.credentials import ensure_keys
from uncia.infra.local.layout import Layout, claim
from uncia.infra.local.seaweedfs import SeaweedFS
from uncia.infra.local.service import StackContext
from uncia.infra.local.stack_identity import ensure_identity, environment_of
from uncia.settings import Settings

Start = Callable[[bool], list[bool]]


class FakeStore:
    """Records how versions were switched."""

    def __init__(self) -> None:
        self.switched: list[bool] = []

    def keep_versions(self, bucket: str, *, on: bool) -> None:
        assert bucket == "camera-uploads"
        self.switched.append(on)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the store with or without versions; returns how they were switched."""
    folder = tmp_path / "stack"
    claim(folder)
    layout = Layout.make(folder)
    identity, keys = ensure_identity(folder, layout.runtime_dir), ensure_keys(folder)

    def start(keep: bool) -> list[bool]:
        settings, store = Settings(_env_file=None, keep_versions=keep), FakeStore()
        service = SeaweedFS(StackContext(layout, identity, keys, settings, environment_of(identity)))
        service.write(tmp_path)
        service._version_objects(store, settings.bucket)  # type: ignore[arg-type]
        service._version_objects(store, settings.bucket)  # type: ignore[arg-type]
        return store.switched

    yield start
    layout.remove_runtime_dir()


def test_a_new_bucket_is_left_without_versions(start: Start) -> None:
    assert start(False) == []


def test_versions_are_switched_once_when_the_setting_changes(start: Start) -> None:
    assert start(True) == [True]
    assert start(True) == []
    assert start(False) == [False]
    assert start(False) == []
