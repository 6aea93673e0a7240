"""The English texts of what the public would see of a burst; see `strings`."""

__all__ = ["PUBLIC"]

PUBLIC: dict[str, str] = {
    "public.title": "What the public would see",
    "public.off": "The public tier is off: nothing is published. If it were on:",
    "public.nothing": "Nothing.",
    "public.withheld.superseded": "The burst no longer exists.",
    "public.withheld.provisional": "The verdict is provisional: frames are still expected.",
    "public.withheld.no_animal": "The verdict is not an animal.",
    "public.withheld.person": "A person is in the burst, or may be.",
    "public.withheld.implausible_time": "The capture time is after the verdict, or more than a year before it: an old "
    "photograph, or a wrong clock.",
    "public.withheld.sensitive_taxon": "The place of a taxon that is in the burst is withheld, and with it the taxon.",
    "public.taxon": "Taxon",
    "public.period": "Time",
    "public.period.week": "week {week} of {year}",
    "public.place": "Place",
    "public.place.none": "none",
    "public.place.cell": "a cell of {degrees}°",
    "public.place.position": "{latitude}°, {longitude}° (± {uncertainty} m): the middle of a cell of {degrees}°",
    "public.delay": "Published",
    "public.delay.days": "{least} to {most} days later, drawn by chance",
    "public.without": "No photograph, camera, station, count or confidence.",
}
