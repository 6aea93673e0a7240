"""`python -m benchmarks.recovery`: the long recovery suite, rounds of 300 photographs with one fault in each.

Prints one line per round and writes `.local/soak/results.json` and, with `--docs`, the table of `docs/recovery.md`.
"""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from benchmarks.recovery_table import line, write_table
from tests.recovery.faults import catalogue, random_faults
from tests.recovery.rounds import Outcome, Round
from tests.recovery.running_stack import running_stack
from tests.recovery.scenario import Scenario
from uncia.errors import UnciaError

DOCS = Path("docs/recovery.md")


def soak(
    rounds: int = typer.Option(20, min=1, help="Rounds with a fault; one round without a fault runs first."),
    series: int = typer.Option(8, min=1, help="Series of 39 photographs per round; 8 series are 312 photographs."),
    per_s: float = typer.Option(16, min=0.1, help="Photographs per second."),
    seed: int = typer.Option(1, help="Random seed of the faults and of the order of the photographs."),
    minutes: float = typer.Option(90, min=1, help="Start no further round after this many minutes."),
    only: str = typer.Option("", help="Run only faults whose name contains one of these comma-separated strings."),
    folder: Path = typer.Option(Path(".local/soak"), help="Folder of results and logs."),
    docs: bool = typer.Option(False, "--docs", help="Also write the table of docs/recovery.md."),
) -> None:
    """Run rounds with faults; every round must give the same result as the round without a fault."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [part.strip() for part in only.split(",") if part.strip()]
    every = catalogue() if wanted else list(random_faults(rounds, seed))
    faults = [fault for fault in every if not wanted or any(part in fault.name for part in wanted)]
    begun = datetime.now(UTC)
    outcomes: list[Outcome] = []
    day = Scenario(series)
    with running_stack(keep=folder / "logs") as (field, observer):
        for number, fault in enumerate((None, *faults[:rounds])):
            if fault is not None and (reason := fault.skip_reason()):
                print(f"{number:3}  {fault.name}: skipped, {reason}", flush=True)
                continue
            if (datetime.now(UTC) - begun).total_seconds() > 60 * minutes:
                print(f"     stopped after {minutes:g} minutes", flush=True)
                break
            reference = outcomes[0].results if outcomes else None
            outcomes.append(Round(field, observer, day, seed=seed + number, per_s=per_s).play(fault, reference))
            print(f"{number:3}  {line(outcomes[-1])}", flush=True)
            results = {
                "command": " ".join(["python -m benchmarks.recovery", *sys.argv[1:]]),
                "begun_at": begun.strftime("%Y-%m-%d %H:%M UTC"),
                "photographs_per_round": outcomes[0].photographs,
                "photographs_per_s": per_s,
                "rounds": [
                    {name: value for name, value in asdict(outcome).items() if name != "results"}
                    for outcome in outcomes
                ],
            }
            (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if docs:
        write_table(DOCS, outcomes, results)
    if bad := [outcome for outcome in outcomes if outcome.problems]:
        raise UnciaError(f"{len(bad)} of {len(outcomes)} rounds failed; see {folder / 'logs'}")


if __name__ == "__main__":
    try:
        typer.run(soak)
    except UnciaError as error:
        sys.exit(f"recovery: {error}")
