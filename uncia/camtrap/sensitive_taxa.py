"""How sensitive the places of taxa are: the table `sensitive_taxa.csv` of this package, or a file in its stead.

A taxon has the strictest level of itself and of every taxon above it. A genus, and a species of it that the taxonomy
does not have, have the strictest level of what is listed below the genus, too: a verdict "Panthera", or a misspelled
epithet, can be a snow leopard. Families and higher taxa do not: they are what a secret species is coarsened to.

Sources of the table: the categories are those of the IUCN Red List of Threatened Species (https://www.iucnredlist.org,
as known in 2024, quoted as facts; VU vulnerable, EN endangered, CR critically endangered, NT near threatened; empty for
groups whose species differ). The levels are ours, by the criteria of Chapman (GBIF, 2020): the harm that a known place
does, and how much of the risk is there already. The table is in the public domain (CC0).
"""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from uncia.camtrap.sensitivity import strictest
from uncia.camtrap.table_reader import Row, TableReader, open_table, table_of
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import SettingsError, UnciaError
from uncia.events import Sensitivity

__all__ = ["SensitiveTaxa"]

_COLUMNS = ("taxon", "sensitivity")


class SensitiveTaxa:
    """Levels by taxon. Immutable; lookups are cached, and safe from any thread."""

    def __init__(self, listed: Mapping[str, Sensitivity], taxonomy: Taxonomy) -> None:
        """`listed`: levels by scientific name."""
        self.listed = dict(listed)
        self.taxonomy = taxonomy
        self._below: dict[str, Sensitivity] = {}
        self._hidden: dict[str, Sensitivity] = {}
        for taxon, level in listed.items():
            for above in taxonomy.ancestors(taxon):
                self._hidden[above] = strictest((self._hidden.get(above, Sensitivity.NONE), level))
                if taxonomy.rank(above) in ("genus", "subgenus", "species"):
                    self._below[above] = strictest((self._below.get(above, Sensitivity.NONE), level))
        self._names = {taxonomy.label(name).casefold(): name for name in (*taxonomy.names, *listed)}
        self._names |= {name.casefold(): name for name in (*taxonomy.names, *listed)}
        self._levels: dict[str, Sensitivity] = {}

    @classmethod
    def load(cls, path: Path | None = None, taxonomy: Taxonomy | None = None) -> "SensitiveTaxa":
        """The table of this package, or a file in its stead: columns `taxon` and `sensitivity`, others are free.

        Raises `SettingsError` for a file that cannot be used, with line and column.
        """
        known = taxonomy or Taxonomy.load()
        if path is None:
            return cls(_levels_of(table_of(files("uncia.camtrap").joinpath("sensitive_taxa.csv").read_bytes())), known)
        try:
            with open_table(path, strict=True) as table:
                return cls(_levels_of(table), known)
        except UnciaError as error:
            raise SettingsError(f"UNCIA_SENSITIVE_TAXA: {path}: {error}") from error

    def of(self, taxon: str | None) -> Sensitivity:
        """The level of a taxon, by its scientific name or by its label in the taxonomy; no taxon has none."""
        if taxon is None or not taxon.strip():
            return Sensitivity.NONE
        level = self._levels.get(taxon)
        if level is None:
            level = self._levels[taxon] = self._find(taxon)
        return level

    def includes(self, above: str, name: str | None) -> bool:
        """Whether a scientific name or a label is a taxon, or one below it."""
        found = self._taxon_named(name or "")
        return above in (found, *self.taxonomy.ancestors(found))

    def hidden_below(self, taxon: str) -> Sensitivity:
        """The strictest level of the listed taxa below a taxon: what it can be if it was not recognised closely."""
        return self._hidden.get(taxon, Sensitivity.NONE)

    def strictest_of(self, taxa: Iterable[str | None]) -> Sensitivity:
        """The strictest level of several taxa, such as all that a page shows with one position."""
        return strictest(self.of(taxon) for taxon in taxa)

    def unknown(self) -> list[str]:
        """Listed names that the taxonomy has neither themselves nor by their genus: misspelled, or to be added."""
        return [
            name
            for name in self.listed
            if name not in self.taxonomy and len(self.taxonomy.ancestors(name)) < 2  # below the root alone
        ]

    def _taxon_named(self, name: str) -> str:
        spaced = " ".join(name.split())
        return self._names.get(spaced.casefold(), spaced)

    def _find(self, taxon: str) -> Sensitivity:
        name = self._taxon_named(taxon)
        lineage = self.taxonomy.ancestors(name)
        levels = [self.listed.get(each, Sensitivity.NONE) for each in (name, *lineage)]
        levels.append(self._below.get(name, Sensitivity.NONE))
        if name not in self.taxonomy and name not in self.listed:
            levels += [self._below.get(each, Sensitivity.NONE) for each in lineage]
            # A genus that the taxonomy does not have can still be that of a listed species.
            genus = name.partition(" ")[0]
            levels += [level for listed, level in self.listed.items() if listed.partition(" ")[0] == genus]
        return strictest(levels)


def _levels_of(table: TableReader) -> dict[str, Sensitivity]:
    missing = [column for column in _COLUMNS if column not in table.header]
    if missing:
        raise UnciaError(f"line 1: the column {', '.join(missing)} is missing: the heading is {', '.join(_COLUMNS)}")
    levels: dict[str, Sensitivity] = {}
    for row in table:
        taxon = " ".join(row.text("taxon").split())
        if not taxon:
            raise UnciaError(f"{_place(row, 'taxon')}: it names no taxon")
        if taxon in levels:
            raise UnciaError(f"{_place(row, 'taxon')}: {taxon} is listed a second time")
        if row.surplus:
            raise UnciaError(
                f"line {row.line}, column {len(table.header) + 1}: the row has more cells than the heading"
            )
        word = row.text("sensitivity").lower()
        if word not in tuple(Sensitivity):
            raise UnciaError(
                f"{_place(row, 'sensitivity')}: {row.text('sensitivity')!r} is not one of {', '.join(Sensitivity)}"
            )
        levels[taxon] = Sensitivity(word)
    return levels


def _place(row: Row, column: str) -> str:
    return f"line {row.line}, column {list(row.cells).index(column) + 1} ({column})"
