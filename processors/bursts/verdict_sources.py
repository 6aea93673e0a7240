"""The files that decide categories and taxa: presence model, taxonomy, and the lists of taxa that can occur."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from uncia import ids
from uncia.camtrap.checklist import Checklists
from uncia.camtrap.presence import PresenceModel, load_presence_model
from uncia.camtrap.taxonomy import Taxonomy
from uncia.settings import Settings


@lru_cache(maxsize=1)
def default_taxonomy() -> Taxonomy:
    """The taxonomy of this package."""
    return Taxonomy.load()


@dataclass(frozen=True)
class VerdictSources:
    """What decides categories and taxa, apart from the settings."""

    presence: PresenceModel = field(default_factory=load_presence_model)
    taxonomy: Taxonomy = field(default_factory=default_taxonomy)
    checklists: Checklists = field(default_factory=lambda: Checklists(default_taxonomy()))
    digest: str = ""
    """Of all of it, where it is not that of this package; part of the `settings` of every verdict."""


def verdict_sources(settings: Settings) -> VerdictSources:
    """Read the files that the settings name. Raises `SettingsError` that says what is wrong with one."""
    taxonomy = Taxonomy.load(settings.taxonomy_file) if settings.taxonomy_file else default_taxonomy()
    checklists = Checklists(taxonomy, settings.taxa_allowed, settings.station_taxa_allowed)
    presence = load_presence_model(settings.presence_model)
    places = sorted(settings.station_taxa_allowed)
    read = [settings.taxonomy_file, settings.taxa_allowed, *(settings.station_taxa_allowed[place] for place in places)]
    return VerdictSources(presence, taxonomy, checklists, _digest(presence.id, places, read))


def _digest(presence: str, places: Sequence[str], read: Sequence[Path | None]) -> str:
    contents = [ids.content_hash(_file(path).read_bytes()) if path else "" for path in read]
    return ids.digest(json.dumps([presence, places, contents]))


def _file(path: Path) -> Path:
    return path / "datapackage.json" if path.is_dir() else path
