"""Names for people of what addresses and events carry as ids: flags, and filters with their values; pure."""

from uncia.dashboard.catalogue.filters import NO_TAXON
from uncia.dashboard.web.strings import TEXT

__all__ = ["filter_label", "filter_value", "flag_name"]

_PREFIXES = {
    "category": "category.",
    "status": "status.",
    "reviewed": "browse.reviewed.",
    "order": "browse.order.",
    "measure": "numbers.measure.",
    "flag": "flag.",
}
"""Where the names of a filter's values are among the texts."""


def flag_name(flag: str) -> str:
    """The name of a flag or mark; marks can be any text, which is its own name."""
    return TEXT.get(f"flag.{flag}", flag)


def filter_label(name: str) -> str:
    """The label of a parameter of an address, as in the forms; the parameter itself where no form has it."""
    return TEXT.get(f"filter.{name}", name)


def filter_value(name: str, value: str) -> str:
    """The value of a filter as people read it."""
    if value == NO_TAXON:
        return TEXT["browse.no_taxon"]
    prefix = _PREFIXES.get(name)
    return value if prefix is None else TEXT.get(prefix + value, value)
