"""Lists of the taxa that can occur at a place: a text file with one taxon a line, or the scope of a Camtrap DP package.

In a text file, `#` begins a comment. Of a `datapackage.json` the property `taxonomic` is read: `scientificName`, and
the higher taxa (`genus`, `family`, `order`, `class`, ...) where a record names them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uncia.camtrap.camtrap_dp import CamtrapPackage
from uncia.camtrap.names import canonical_camera
from uncia.camtrap.taxonomy import RANKS, TaxaAllowed, Taxonomy
from uncia.errors import SettingsError, UnciaError

__all__ = ["Checklists", "read_checklist"]


def read_checklist(path: Path, taxonomy: Taxonomy) -> TaxaAllowed:
    """Read a list of taxa. Names that the taxonomy does not have do no harm, unless it has none of them.

    Raises `SettingsError` for a file that cannot be read, lists nothing, or lists unknown taxa only.
    """
    try:
        listed, above = _from_package(path) if path.suffix == ".json" or path.is_dir() else (_from_text(path), set())
    except UnciaError as error:
        raise SettingsError(f"the list of taxa that can occur: {error}") from error
    if not listed:
        raise SettingsError(f"the list of taxa that can occur is empty: {path} names no taxon")
    allowed = taxonomy.allowed(listed, above)
    if not any(taxon in taxonomy for taxon in listed | allowed.above - {"Animalia"}):
        raise SettingsError(
            f"{path} lists no taxon that is known, but {min(listed)!r}: write scientific names, one a line, or add "
            "the taxa by UNCIA_TAXONOMY_FILE"
        )
    return allowed


class Checklists:
    """The taxa that can occur at each camera. Files are read when it is made."""

    def __init__(
        self, taxonomy: Taxonomy, general: Path | None = None, by_place: Mapping[str, Path] | None = None
    ) -> None:
        """`by_place`: other lists, by station or by camera (`<station>/<camera>`). Raises `SettingsError`."""
        self._general = read_checklist(general, taxonomy) if general is not None else None
        self._by_place = {
            canonical_camera(place): read_checklist(path, taxonomy) for place, path in (by_place or {}).items()
        }

    def of(self, camera: str) -> TaxaAllowed | None:
        """The list that applies to a camera: its own, that of its station, or the general one; None: any taxon."""
        if not self._by_place:
            return self._general
        name = canonical_camera(camera)
        return self._by_place.get(name) or self._by_place.get(name.partition("/")[0]) or self._general


def _from_text(path: Path) -> set[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UnciaError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UnciaError(f"{path} is not text in UTF-8") from error
    return {taxon for line in lines if (taxon := " ".join(line.partition("#")[0].split()))}


def _from_package(path: Path) -> tuple[set[str], set[str]]:
    scope = CamtrapPackage.open(path).content.get("taxonomic")
    records: list[dict[str, Any]] = [record for record in scope or () if isinstance(record, dict)]
    listed = {" ".join(name.split()) for record in records if isinstance(name := record.get("scientificName"), str)}
    above = {name for record in records for rank in RANKS if isinstance(name := record.get(rank), str) and name}
    return listed - {""}, above
