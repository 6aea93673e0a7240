"""What messages say on how to install more."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from uncia import errors
from uncia.errors import how_to_install


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    errors._installed_archive.cache_clear()
    yield
    errors._installed_archive.cache_clear()


def installed_from(monkeypatch: pytest.MonkeyPatch, source: str | None) -> None:
    distribution: Any = SimpleNamespace(read_text=lambda name: source if name == "direct_url.json" else None)
    monkeypatch.setattr(errors, "distribution", lambda name: distribution)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("file:///media/usb%20stick/uncia-0.1.0-py3-none-any.whl", "uncia-0.1.0-py3-none-any.whl"),
        ("file:///tmp/uncia.tar.gz", "uncia.tar.gz"),
    ],
)
def test_an_installation_from_a_file_is_extended_from_that_file(
    monkeypatch: pytest.MonkeyPatch, url: str, name: str
) -> None:
    installed_from(monkeypatch, json.dumps({"url": url, "archive_info": {}}))
    assert how_to_install("local") == f"pip install '{name}[local]' in the folder of that file"


@pytest.mark.parametrize(
    "source",
    [json.dumps({"url": "file:///home/me/uncia", "dir_info": {"editable": True}}), None, "", "{", "{}"],
)
def test_any_other_installation_is_extended_from_the_clone(monkeypatch: pytest.MonkeyPatch, source: str | None) -> None:
    installed_from(monkeypatch, source)
    assert how_to_install("local") == "pip install '.[local]' in the clone of Uncia"
