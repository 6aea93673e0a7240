"""How often verdicts are wrong, from the reviews of a sample that was fixed beforehand.

- `sample`: which bursts belong to it; pure;
- `rates`: error rates with intervals; pure;
- `queries`: the sample, its queue and its rates, in the catalogue.
"""
