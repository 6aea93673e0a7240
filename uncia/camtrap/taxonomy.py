"""Animal taxa with their ranks and parents, and the roll-up of class probabilities to the taxon that they support.

The table `taxonomy.csv` of this package has every taxon of the ImageNet label set and common camera-trap taxa, up to
the kingdom; a file of the same form (`UNCIA_TAXONOMY_FILE`) adds others or moves them. It is a working classification
in linked ranks, not an authority: where authors disagree, it follows the older family names that label sets use.

**Roll-up** (after the ensemble of SpeciesNet): the probabilities of all classes are summed up the tree, and the taxon
of the lowest rank whose sum reaches the threshold is returned. A cat that may be a lynx or a leopard is "Felidae".

**Taxa that can occur** (`TaxaAllowed`): a listed taxon, everything below it and everything above it. The probability
of any other taxon counts for its nearest allowed ancestor. It is neither lost nor shared out among the listed species:
a jaguar-like animal in Kyrgyzstan supports "Panthera", and shared out it would make a certain snow leopard of 2 %.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from uncia.camtrap.table_reader import TableReader, open_table, table_of
from uncia.errors import SettingsError, UnciaError

__all__ = ["RANKS", "ROOT", "RolledUp", "TaxaAllowed", "Taxon", "Taxonomy"]

ROOT = "Animalia"

RANKS = (
    "kingdom",
    "phylum",
    "subphylum",
    "class",
    "subclass",
    "infraclass",
    "superorder",
    "order",
    "suborder",
    "infraorder",
    "superfamily",
    "epifamily",
    "family",
    "subfamily",
    "tribe",
    "genus",
    "subgenus",
    "species",
    "subspecies",
)
"""Ranks from the highest to the lowest; a taxon's parent has a higher rank than the taxon."""

_COLUMNS = ("taxon", "rank", "parent")
_LEVEL = {rank: level for level, rank in enumerate(RANKS)}
_TOLERANCE = 1e-9
"""Sums of rounded probabilities that should be exactly the threshold reach it."""


@dataclass(frozen=True)
class Taxon:
    """One row of the table."""

    name: str
    rank: str
    parent: str
    """Empty for the root only."""
    label: str = ""
    """What people call it, where that differs from the name."""


@dataclass(frozen=True)
class RolledUp:
    """The taxon that class probabilities support."""

    taxon: str
    rank: str | None
    """None for a taxon that the table does not have, unless its name is that of a species."""
    score: float
    """The summed probability of the taxon and everything below it."""


@dataclass(frozen=True)
class TaxaAllowed:
    """The taxa that can occur somewhere. See `uncia.camtrap.checklist` for the files."""

    listed: frozenset[str]
    above: frozenset[str] = field(default=frozenset())
    """Everything above a listed taxon."""


class Taxonomy:
    """A tree of taxa. Immutable; lookups are cached, and safe from any thread."""

    def __init__(self, taxa: Iterable[Taxon]) -> None:
        """Raises `ValueError`, in a sentence, for a cycle, an unknown parent or rank, and ranks that do not rise."""
        self._taxa = {taxon.name: taxon for taxon in taxa}
        for taxon in self._taxa.values():
            self._check(taxon)
        self._lineages: dict[str, tuple[str, ...]] = {}

    @classmethod
    def load(cls, path: Path | None = None) -> "Taxonomy":
        """The table of this package, with the taxa of a file added to it.

        The file is a table with the columns `taxon`, `rank`, `parent` and optionally `label`. A taxon of ours that it
        lists again is replaced. Raises `SettingsError` for a file that cannot be used, in one sentence.
        """
        packaged = files("uncia.camtrap").joinpath("taxonomy.csv").read_bytes()
        taxa = _taxa_of(table_of(packaged, strict=True))
        if path is None:
            return cls(taxa)
        try:
            with open_table(path) as table:
                added = _taxa_of(table)
            if not added:
                raise ValueError("it lists no taxon: write rows of taxon, rank and parent below a heading")
            return cls([*taxa, *added])
        except (UnciaError, ValueError) as error:
            raise SettingsError(f"UNCIA_TAXONOMY_FILE: {path}: {error}") from error

    @property
    def names(self) -> Collection[str]:
        """All taxa of the table."""
        return self._taxa.keys()

    def __contains__(self, taxon: object) -> bool:
        return taxon in self._taxa

    def rank(self, taxon: str) -> str | None:
        """The rank of a taxon; that of an unknown one is `species` where its name has two words, else None."""
        if known := self._taxa.get(taxon):
            return known.rank
        return "species" if _genus_of(taxon) else None

    def label(self, taxon: str) -> str:
        """What people call a taxon, such as "bird"; its scientific name where the table has nothing else."""
        known = self._taxa.get(taxon)
        return known.label or taxon if known else taxon

    def ancestors(self, taxon: str) -> tuple[str, ...]:
        """The taxa above, nearest first, the root last.

        A species that the table does not have is placed below its genus if that is known, and any other unknown taxon
        below the root.
        """
        lineage = self._lineages.get(taxon)
        if lineage is None:
            lineage = self._lineages[taxon] = tuple(self._walk(self._parent(taxon)))
        return lineage

    def allowed(self, listed: Iterable[str], above: Iterable[str] = ()) -> TaxaAllowed:
        """The taxa that can occur where these are listed; `above`: known to be above them, besides their ancestors."""
        names = frozenset(listed)
        ancestors = {ancestor for taxon in names for ancestor in self.ancestors(taxon)}
        return TaxaAllowed(names, frozenset({*ancestors, *above, ROOT}))

    def permits(self, allowed: TaxaAllowed, taxon: str) -> bool:
        """Whether a taxon is listed, or above or below a listed one."""
        return (
            taxon in allowed.listed
            or taxon in allowed.above
            or any(ancestor in allowed.listed for ancestor in self.ancestors(taxon))
        )

    def roll_up(
        self, scores: Mapping[str, float], threshold: float | Mapping[str, float], allowed: TaxaAllowed | None = None
    ) -> RolledUp | None:
        """The taxon of the lowest rank whose summed probability reaches the threshold; None: none does.

        `scores`: probabilities by taxon, of one distribution. `threshold`: for all ranks, or by rank; ranks without one
        are passed over. Of several taxa of one rank the one with the greater sum is returned, then the first by name.
        """
        totals = self.totals(scores, allowed)
        best: tuple[int, int, float] | None = None
        found: RolledUp | None = None
        for taxon in sorted(totals):
            rank, total = self.rank(taxon), totals[taxon]
            wanted = threshold if isinstance(threshold, float | int) else threshold.get(rank or "")
            if wanted is None or total <= 0 or total < wanted - _TOLERANCE:
                continue
            order = (_LEVEL.get(rank or "", len(RANKS)), len(self.ancestors(taxon)), total)
            if best is None or order > best:
                best, found = order, RolledUp(taxon, rank, min(total, 1.0))
        return found

    def totals(self, scores: Mapping[str, float], allowed: TaxaAllowed | None = None) -> dict[str, float]:
        """The summed probability of every allowed taxon that has any."""
        totals: dict[str, float] = {}
        for taxon in sorted(scores):
            for node in (taxon, *self.ancestors(taxon)):
                if allowed is None or self.permits(allowed, node):
                    totals[node] = totals.get(node, 0.0) + scores[taxon]
        return totals

    def total(self, scores: Mapping[str, float], taxon: str, allowed: TaxaAllowed | None = None) -> float:
        """The summed probability of one taxon, as in `totals`, in a fraction of its time; 0 where it has none."""
        if allowed is not None and not self.permits(allowed, taxon):
            return 0.0
        total = 0.0
        # In the order of `totals`, so that both round alike.
        for name in sorted(name for name in scores if name == taxon or taxon in self.ancestors(name)):
            total += scores[name]
        return total

    def _parent(self, taxon: str) -> str:
        if known := self._taxa.get(taxon):
            return known.parent
        genus = _genus_of(taxon)
        return genus if genus in self._taxa else ROOT

    def _walk(self, taxon: str) -> Iterable[str]:
        while taxon:
            yield taxon
            taxon = self._parent(taxon)

    def _check(self, taxon: Taxon) -> None:
        if taxon.rank not in _LEVEL:
            raise ValueError(f"{taxon.name} has the unknown rank {taxon.rank!r}: use one of {', '.join(RANKS)}")
        if not taxon.parent:
            if taxon.name != ROOT:
                raise ValueError(f"{taxon.name} has no parent: only {ROOT} has none")
            return
        if taxon.parent not in self._taxa:
            raise ValueError(f"the parent {taxon.parent!r} of {taxon.name} is unknown: add a row for it")
        passed, above = [taxon.name], taxon.parent
        while above:
            if above in passed:
                raise ValueError(f"{' -> '.join([*passed[passed.index(above) :], above])} is a cycle")
            passed.append(above)
            above = self._taxa[above].parent if above in self._taxa else ""
        if _LEVEL.get(self._taxa[taxon.parent].rank, -1) >= _LEVEL[taxon.rank]:
            parent = self._taxa[taxon.parent]
            raise ValueError(f"the {taxon.rank} {taxon.name} cannot be below the {parent.rank} {parent.name}")


def _genus_of(taxon: str) -> str:
    """The genus in the name of a species or subspecies; empty for any other name."""
    genus, _, epithet = taxon.partition(" ")
    return genus if epithet and genus.istitle() and epithet[:1].islower() else ""


def _taxa_of(table: TableReader) -> list[Taxon]:
    missing = [column for column in _COLUMNS if column not in table.header]
    if missing:
        raise UnciaError(f"the column {', '.join(missing)} is missing: the heading is taxon, rank, parent, label")
    taxa: dict[str, Taxon] = {}
    for row in table:
        name = row.text("taxon")
        if not name:
            raise UnciaError(f"line {row.line} names no taxon")
        if name in taxa:
            raise UnciaError(f"line {row.line} lists {name} a second time")
        taxa[name] = Taxon(name, row.text("rank").lower(), row.text("parent"), row.text("label"))
    return list(taxa.values())
