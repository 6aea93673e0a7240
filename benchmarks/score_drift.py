"""`python -m benchmarks.score_drift`: false alarms and recognised shifts of rules with `drift: true`, by simulation.

Scores are drawn: those of blanks near 0, those of animals near 1. The share of animals differs from day to day by a
beta distribution, whose concentration says how much days resemble themselves: by chance alone, somewhat, or strongly.
Every camera is deployed for a year; each shift begins after its reference is learned.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from uncia.processors.alerts.score_history import Comparison, ScoreChange, ScoreHistory
from uncia.terminal import echo

START = datetime(2026, 1, 1)
WEEKS = 52
ANIMALS = 0.3
RATES = (4, 10, 30)
"""Bursts a day."""
CONCENTRATIONS: dict[str, float | None] = {"by chance": None, "somewhat (sd 0.10)": 20, "strongly (sd 0.19)": 5}

Scores = Callable[[np.random.Generator, int, float], NDArray[np.float64]]


def usual(random: np.random.Generator, number: int, animals: float) -> NDArray[np.float64]:
    """Scores of a working camera."""
    is_animal = random.random(number) < animals
    return np.where(is_animal, random.beta(8, 1.2, number), random.beta(1.2, 12, number))


def fogged(random: np.random.Generator, number: int, animals: float) -> NDArray[np.float64]:
    """Animals are less certain."""
    is_animal = random.random(number) < animals
    return np.where(is_animal, random.beta(3, 3, number), random.beta(1.2, 12, number))


def grass(random: np.random.Generator, number: int, animals: float) -> NDArray[np.float64]:
    """Blanks are less certain."""
    is_animal = random.random(number) < animals
    return np.where(is_animal, random.beta(8, 1.2, number), random.beta(2, 5, number))


SHIFTS: dict[str, tuple[Scores, float]] = {
    "animals less certain (fogged lens)": (fogged, ANIMALS),
    "blanks less certain (tall grass)": (grass, ANIMALS),
    "30 % animals become 60 %": (usual, 0.6),
    "30 % animals become 90 %": (usual, 0.9),
    "30 % animals become 2 %": (usual, 0.02),
}


def camera(
    random: np.random.Generator,
    rate: float,
    concentration: float | None,
    shift: tuple[Scores, float] = (usual, ANIMALS),
) -> Iterator[tuple[int, Comparison]]:
    """The comparisons of one camera, with the number of weeks since its reference was learned."""
    history, learned = ScoreHistory(), None
    for day in range(7 * WEEKS):
        scores, animals = (usual, ANIMALS) if learned is None else shift
        share = (
            animals if concentration is None else random.beta(animals * concentration, (1 - animals) * concentration)
        )
        hours = np.sort(random.uniform(0, 24, random.poisson(rate)))
        for hour, score in zip(hours, scores(random, len(hours), share), strict=True):
            at = START + timedelta(days=day, hours=float(hour))
            if history.wants(f"{at}", at) and (compared := history.add(f"{at}", at, float(score))) is not None:
                yield (day - (learned or 0)) // 7 + 1, compared
        if learned is None and history.limits:
            learned = day


def main(cameras: Annotated[int, typer.Option(help="Cameras of each setting.")] = 40) -> None:
    """Print two tables in Markdown."""
    echo("| bursts a day | days differ | windows | false alarms | per 1,000 camera-weeks |")
    echo("|---:|---|---:|---:|---:|")
    for rate in RATES:
        for name, concentration in CONCENTRATIONS.items():
            random = np.random.default_rng(18)
            found = [list(camera(random, rate, concentration)) for _ in range(cameras)]
            alarms = sum(one.change is ScoreChange.DRIFTED for own in found for _, one in own)
            weeks = sum(own[-1][0] for own in found if own)
            windows = sum(map(len, found))
            echo(f"| {rate} | {name} | {windows:,} | {alarms} | {1000 * alarms / weeks:.2f} |")
    echo("")
    echo("| shift, days differ somewhat | " + " | ".join(f"{rate} bursts a day" for rate in RATES[1:]) + " |")
    echo("|---|" + "---:|" * len(RATES[1:]))
    for name, shift in SHIFTS.items():
        cells = []
        for rate in RATES[1:]:
            random = np.random.default_rng(19)
            firsts = [
                next((week for week, one in camera(random, rate, 20, shift) if one.change is ScoreChange.DRIFTED), None)
                for _ in range(cameras // 4)
            ]
            known = sorted(week for week in firsts if week is not None)
            early = sum(week <= 4 for week in known)
            cells.append(f"{early} of {len(firsts)} in four weeks, {len(known)} in a year")
        echo(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    typer.run(main)
