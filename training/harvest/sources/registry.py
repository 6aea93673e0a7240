"""All public sources by name."""

from collections.abc import Mapping

from uncia.polite_http.client import origin_of
from uncia.training.harvest import HarvestError
from uncia.training.harvest.sources.gbif import Gbif
from uncia.training.harvest.sources.inaturalist import INaturalist
from uncia.training.harvest.sources.openverse import Openverse
from uncia.training.harvest.sources.page import SourceApi
from uncia.training.harvest.sources.wikimedia_commons import WikimediaCommons

__all__ = ["SOURCE_NAMES", "load_sources"]

SOURCE_NAMES = ("inaturalist", "gbif", "wikimedia-commons", "openverse")


def load_sources(endpoints: Mapping[str, str]) -> dict[str, SourceApi]:
    """The sources by name; `endpoints` replaces the address of a source, as for a mirror. Raises `HarvestError`."""
    sources: dict[str, SourceApi] = {
        source.name: source for source in (INaturalist(), Gbif(), WikimediaCommons(), Openverse())
    }
    for name, url in endpoints.items():
        if name not in sources:
            raise HarvestError(f"unknown source {name!r}: choose from {', '.join(SOURCE_NAMES)}")
        if not origin_of(url)[0]:
            raise HarvestError(f"{url!r} is not an address of {name}: write it like https://host/path")
        sources[name].base_url = url.rstrip("/")
    return sources
