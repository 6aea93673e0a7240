"""The species that a reviewer decides by one key; each account has its own."""

from pydantic import BaseModel, Field

from uncia.dashboard.web.context import Context
from uncia.events import BurstCategory

__all__ = ["ChosenSpecies", "SpeciesKey", "species_keys"]


class ChosenSpecies(BaseModel):
    """What a reviewer calls a burst: a taxon, or no more than a category."""

    category: BurstCategory = BurstCategory.ANIMAL
    taxon: str | None = Field(default=None, max_length=300)
    label: str = Field(min_length=1, max_length=100)
    rank: str | None = Field(default=None, max_length=50)


class SpeciesKey(ChosenSpecies):
    """A key that the reviewer has assigned."""

    key: str = Field(pattern=r"^[a-z]$")


_DEFAULT_KEYS = [
    SpeciesKey(key="p", category=BurstCategory.PERSON, label="person"),
    SpeciesKey(key="v", category=BurstCategory.VEHICLE, label="vehicle"),
    SpeciesKey(key="a", category=BurstCategory.ANIMAL, label="animal"),
]


def species_keys(context: Context) -> list[SpeciesKey]:
    """Those of the caller."""
    account = context.services.accounts.account(context.caller.account_id)
    stored = account.settings.get("keys") if account else None
    return _DEFAULT_KEYS if stored is None else [SpeciesKey.model_validate(one) for one in stored]
