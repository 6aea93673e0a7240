"""What a burst shows, in words for rangers; pure.

Probabilities are printed as percentages and only where they are calibrated. Everything else is called a score.
"""

from uncia.events import BurstCategory, BurstFrame, BurstResolved, BurstStatus, CloseReason, TaxonVerdict

_CLOSED = {
    CloseReason.SEQUENCE: "all frames arrived",
    CloseReason.WATERMARK: "later photographs arrived",
    CloseReason.IDLE: "no more frames arrived",
}


def describe_verdict(burst: BurstResolved) -> str:
    """The verdict: `animal, 2 seen, Felidae (family)`, `blank 98 %`, `person`; of an older event its best class."""
    if burst.status is BurstStatus.SUPERSEDED:
        return f"superseded by {burst.superseded_by}" if burst.superseded_by else "withdrawn"
    if burst.category is None:
        return _name(burst.verdict) if burst.verdict else "nothing could be read"
    if burst.category is BurstCategory.BLANK:
        if burst.animal_probability is None:
            return "blank"
        return f"blank {percent(1 - burst.animal_probability)}"
    parts = [burst.category.value]
    if burst.count and burst.count > 1:
        parts.append(f"{burst.count} seen")
    if (taxon := verdict_taxon(burst)) is not None:
        parts.append(f"{_name(taxon)} ({rank})" if (rank := _rank(taxon)) else _name(taxon))
    return ", ".join(parts)


def describe_evidence(burst: BurstResolved) -> str:
    """How sure the verdict is: `animal 97 %, cat score 0.42`; of an older event the score of its best class."""
    if burst.category is None:
        return f"{burst.verdict.score:.2f}" if burst.verdict else ""
    parts = []
    if burst.category is BurstCategory.ANIMAL and burst.animal_probability is not None:
        parts.append(f"animal {percent(burst.animal_probability)}")
    if (taxon := verdict_taxon(burst)) is not None:
        parts.append(describe_taxon(taxon))
    return ", ".join(parts)


def describe_burst(burst: BurstResolved) -> str:
    """Verdict and evidence in one: `animal 97 %, 2 seen, Felidae (family, score 0.83)`; of an older event
    its best class and score."""
    if burst.status is BurstStatus.SUPERSEDED or burst.category is None:
        parts = [
            describe_verdict(burst),
            describe_evidence(burst) if burst.status is not BurstStatus.SUPERSEDED else "",
        ]
        return "  ".join(part for part in parts if part)
    if burst.category is BurstCategory.BLANK:
        return describe_verdict(burst)
    probability = burst.animal_probability if burst.category is BurstCategory.ANIMAL else None
    parts = [burst.category.value if probability is None else f"animal {percent(probability)}"]
    if burst.count and burst.count > 1:
        parts.append(f"{burst.count} seen")
    if (taxon := verdict_taxon(burst)) is not None:
        sure = "" if taxon.confidence is None else f" {percent(taxon.confidence)}"
        notes = [_rank(taxon), f"score {taxon.score:.2f}" if taxon.confidence is None else ""]
        noted = ", ".join(note for note in notes if note)
        parts.append(f"{_name(taxon)}{sure}" + (f" ({noted})" if noted else ""))
    return ", ".join(parts)


def describe_status(burst: BurstResolved) -> str:
    """Its status and why it was closed: `final (all frames arrived)`, `provisional`."""
    return f"{burst.status}" + (f" ({_CLOSED[burst.closed_by]})" if burst.closed_by else "")


def describe_taxon(taxon: TaxonVerdict) -> str:
    """A taxon with its calibrated probability, `cat 91 %`, or with its score, `cat? (score 0.42)`."""
    if taxon.confidence is not None:
        return f"{_name(taxon)} {percent(taxon.confidence)}"
    return f"{_name(taxon)} (score {taxon.score:.2f})"


def describe_frame(frame: BurstFrame) -> str:
    """What one frame shows by itself: `animal 97 %`, `blank 98 %`, `person`; empty where no detector looked at it."""
    if frame.category is None:
        return ""
    probability = frame.animal_probability
    if probability is None or frame.category not in (BurstCategory.ANIMAL, BurstCategory.BLANK):
        return frame.category.value
    shown = probability if frame.category is BurstCategory.ANIMAL else 1 - probability
    return f"{frame.category.value} {percent(shown)}"


def verdict_taxon(burst: BurstResolved) -> TaxonVerdict | None:
    """The taxon of the verdict where it names more than the category; classes of objects are none."""
    taxon = burst.verdict
    if taxon is None or burst.category is None or burst.category is BurstCategory.BLANK:
        return None
    if taxon.group != burst.category.value or taxon.label == burst.category.value:
        return None
    return taxon


def percent(probability: float) -> str:
    """A probability in per cent; never 0 or 100, of which no model is sure."""
    if probability > 0.99:
        return "> 99 %"
    if probability < 0.01:
        return "< 1 %"
    return f"{100 * probability:.0f} %"


def _name(taxon: TaxonVerdict) -> str:
    return taxon.label if taxon.certain else f"{taxon.label}?"


def _rank(taxon: TaxonVerdict) -> str:
    """The rank of a taxon above the species, which a reader needs; a model's classes are something else."""
    if taxon.rank in (None, "species", "subspecies"):
        return ""
    return "taxonomic class" if taxon.rank == "class" else str(taxon.rank)
