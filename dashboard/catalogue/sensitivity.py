"""How sensitive the places of cameras are by the taxa that were seen there."""

from functools import lru_cache

from sqlalchemy import Connection, select

from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.sensitivity import Sensitivity, strictest
from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.tables import burst_months, bursts, observations, sound_calls, taxa
from uncia.settings import settings

__all__ = ["camera_levels", "sensitive_taxa"]


@lru_cache(maxsize=1)
def sensitive_taxa() -> SensitiveTaxa:
    """The table of the settings. Raises `SettingsError` for one that cannot be used."""
    config = settings()
    return SensitiveTaxa.load(config.sensitive_taxa, Taxonomy.load(config.taxonomy_file))


def camera_levels(connection: Connection, levels: SensitiveTaxa | None = None) -> dict[str, Sensitivity]:
    """The strictest level of the taxa that any burst of a camera, or any call in a recording of it, is called, by
    camera; none: no sensitive taxon.

    Of the whole catalogue, whatever a page or an export shows of it: two exports with different filters would otherwise
    give two positions. All that reviewers saw counts, and what models are certain of.
    """
    table = levels or sensitive_taxa()
    heard = select(sound_calls.c.taxon).where(sound_calls.c.counted, sound_calls.c.taxon.is_not(None))
    names = set(connection.execute(select(taxa.c.taxon).distinct().union(heard.distinct())).scalars())
    sensitive = {name: level for name in names if (level := table.of(name)) is not Sensitivity.NONE}
    if not sensitive:
        return {}
    shown = select(burst_months.c.camera, burst_months.c.taxon).where(
        burst_months.c.taxon.in_(sensitive), burst_months.c.status != "superseded"
    )
    # `certain` is None in what a reviewer saw.
    observed = (
        select(bursts.c.camera, observations.c.taxon)
        .join(observations, observations.c.burst_id == bursts.c.burst_id)
        .where(observations.c.taxon.in_(sensitive), observations.c.certain.is_not(False))
    )
    called = select(sound_calls.c.camera, sound_calls.c.taxon).where(
        sound_calls.c.counted, sound_calls.c.taxon.in_(sensitive)
    )
    found: dict[str, Sensitivity] = {}
    for query in (shown, observed, called):
        for camera, taxon in connection.execute(query.distinct()):
            found[camera] = strictest((found.get(camera, Sensitivity.NONE), sensitive[taxon]))
    return found
