"""`python -m benchmarks.alert_rules`: verdicts per second that one core compares with thousands of alert rules.

Half of the rules are about one taxon at one station, a quarter about a category at one camera, and a quarter, without a
place, about a taxon everywhere or stations by a pattern. A tenth of all have `rare`. No Kafka takes part.
"""

import json
import random
import time
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Annotated

import typer

from tests.unit.dashboard.catalogue.catalogue_data import TAXA, ProjectEvents
from uncia.camtrap.taxonomy import Taxonomy
from uncia.events import BurstCategory, BurstResolved
from uncia.processors.alerts.grouping import CameraAlerts, apply
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.rules import Rule


def main(
    rules: Annotated[int, typer.Option(min=4, help="Number of rules.")] = 10_000,
    bursts: Annotated[int, typer.Option(min=100, help="Number of bursts, each with one to three verdicts.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Of the rules and the verdicts.")] = 1,
) -> None:
    """Measure, and print the figures as JSON."""
    events = [one for one in ProjectEvents(bursts, seed=seed) if isinstance(one, BurstResolved)]
    index = RuleIndex(_rules(rules, events, random.Random(seed)), Taxonomy.load())
    states: dict[str, CameraAlerts] = {}
    raised = 0
    began = time.process_time()
    for event in events:
        logged_at = event.ended_at.replace(tzinfo=UTC) + timedelta(minutes=1)
        raised += len(apply(states.setdefault(event.camera, CameraAlerts()), event, index, logged_at))
    used = time.process_time() - began
    figures = {"rules": rules, "verdicts": len(events), "alert_events": raised, "cpu_s": round(used, 2)}
    typer.echo(json.dumps({**figures, "verdicts_per_cpu_s": round(len(events) / used)}))


def _rules(count: int, events: list[BurstResolved], chance: random.Random) -> list[Rule]:
    cameras = sorted({event.camera for event in events})
    # Most rules of a large team are about other places than the one that a verdict comes from.
    elsewhere = [f"station-{number}" for number in range(count // 20)]
    found = []
    for number in range(count):
        camera = chance.choice([*cameras, *(f"{station}/cam" for station in elsewhere)])
        station = camera.partition("/")[0]
        taxon = (chance.choice(TAXA)[0],)
        if number % 4 < 2:
            rule = Rule(f"rule {number}", taxa=taxon, stations=(station,), min_confidence=0.5)
        elif number % 4 == 2:
            rule = Rule(f"rule {number}", category=chance.choice(list(BurstCategory)), cameras=(camera,))
        elif number % 8 == 3:
            rule = Rule(f"rule {number}", taxa=taxon, hours=(chance.randrange(1440), 1440), min_count=2)
        else:
            rule = Rule(f"rule {number}", taxa=taxon, stations=(f"{station[:4]}*-{number}",))
        found.append(replace(rule, rare=timedelta(days=30)) if number % 10 == 0 else rule)
    return found


if __name__ == "__main__":
    typer.run(main)
