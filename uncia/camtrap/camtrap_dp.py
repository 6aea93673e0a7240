"""Camtrap DP 1.0 (https://camtrap-dp.tdwg.org): the descriptor of a package, its tables, and timestamps in their cells.

Shared by the readers of `deployments.csv` (which sends deployments to a topic) and of `media.csv` with
`observations.csv` (which is a labelled dataset), so that both accept the same files.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uncia.errors import UnciaError

__all__ = ["DESCRIPTOR", "CamtrapPackage", "identify_table", "parse_timestamp", "unix_time"]

DESCRIPTOR = "datapackage.json"

_SIGNATURES = {
    "a deployments.csv of Wildlife Insights": {"deployment_id", "placename", "start_date"},
    "a station table of camtrapR": {"station", "setup_date", "retrieval_date"},
    "a media.csv of Camtrap DP": {"mediaid", "filepath"},
    "an observations.csv of Camtrap DP": {"observationid", "observationtype"},
}
"""Some column names of tables that are often mistaken for a `deployments.csv`, in small letters."""


@dataclass(frozen=True)
class CamtrapPackage:
    """The descriptor of a package, `datapackage.json`, and the folder that holds it."""

    descriptor: Path
    content: dict[str, Any]

    @classmethod
    def open(cls, source: Path) -> "CamtrapPackage":
        """Read the descriptor. `source` is the package's folder or the descriptor itself. Raises `UnciaError`."""
        path = source if source.is_file() else source / DESCRIPTOR
        try:
            content = json.loads(path.read_bytes())
        except OSError as error:
            raise UnciaError(f"{path} cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise UnciaError(f"{path} is not JSON: {error}") from error
        if not isinstance(content, dict) or not isinstance(content.get("resources"), list):
            raise UnciaError(f"{path} does not describe a Camtrap DP package: it has no `resources`")
        return cls(path, content)

    @property
    def folder(self) -> Path:
        """Paths in the package are relative to this folder."""
        return self.descriptor.parent

    @property
    def title(self) -> str:
        """Title of the package, else its name, else the name of its folder."""
        return str(self.content.get("title") or self.content.get("name") or self.folder.name)

    def table(self, name: str) -> Path:
        """Path of the table `deployments`, `media` or `observations`.

        Raises `UnciaError` where the descriptor does not list it, or lists several files or a web address.
        """
        for resource in self.content["resources"]:
            if isinstance(resource, dict) and resource.get("name") == name:
                path = resource.get("path")
                if isinstance(path, list) and len(path) == 1:
                    path = path[0]
                if isinstance(path, str) and "://" not in path:
                    return self.folder / path
                raise UnciaError(
                    f"the table {name} is not one local file: download it, and enter its path in {DESCRIPTOR}"
                )
        raise UnciaError(f"{DESCRIPTOR} lists no table {name}")

    def english_names(self) -> dict[str, str]:
        """English vernacular name by scientific name, for the taxa that have one."""
        names = {}
        for taxon in self.content.get("taxonomic") or ():
            vernacular = taxon.get("vernacularNames") if isinstance(taxon, dict) else None
            if isinstance(vernacular, dict) and vernacular.get("eng") and "scientificName" in taxon:
                names[str(taxon["scientificName"])] = str(vernacular["eng"])
        return names


def identify_table(header: Iterable[str]) -> str:
    """The kind of table that a heading belongs to, such as "a media.csv of Camtrap DP"; empty where it is unknown."""
    names = {name.lower() for name in header}
    return next((kind for kind, signature in _SIGNATURES.items() if signature <= names), "")


def parse_timestamp(text: str) -> datetime:
    """A timestamp in ISO 8601. Its offset may be missing, although Camtrap DP requires one. Raises `ValueError`."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a timestamp: write it like 2026-05-14T07:31:00+02:00") from None


def unix_time(text: str) -> float | None:
    """A timestamp in seconds since 1970, without offset taken as UTC; None for an empty cell. Raises `ValueError`."""
    if not text:
        return None
    time = parse_timestamp(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
