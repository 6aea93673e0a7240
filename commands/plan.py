"""`uncia plan`: how much of everything a number of cameras and photographs needs."""

from dataclasses import asdict

import typer
from rich.table import Table

from uncia.capacity import Demand, Plan, Prices
from uncia.capacity import plan as compute
from uncia.terminal import echo, echo_json, plain_console

__all__ = ["plan"]

_PRICES = Prices()


def plan(
    cameras: int = typer.Option(..., help="Number of cameras."),
    photographs_per_day: float = typer.Option(..., help="Photographs of all cameras per day, such as 2e6."),
    gpu: str = typer.Option("none", help="GPU of Triton: none, l4 or a10. Figures of GPUs are assumed."),
    detector: bool = typer.Option(True, help="Whether the detector runs, with crops and second looks."),
    peak: float = typer.Option(3.0, help="Rate of the busiest hour relative to the mean."),
    utilisation: float = typer.Option(0.6, help="Fraction of what runs that the peak may use."),
    photograph_kb: float = typer.Option(1500, help="Mean size of a photograph, in kB."),
    store_days: float = typer.Option(365, help="Days for which photographs are kept."),
    kafka_replicas: int = typer.Option(3, help="Replicas of every topic."),
    price_core: float = typer.Option(_PRICES.core_h, help="Euros for one core and hour."),
    price_gpu: float | None = typer.Option(None, help="Euros for one GPU and hour. Default: that of the table."),
    price_disk: float = typer.Option(_PRICES.disk_gb_month, help="Euros for one GB of Kafka's disks and month."),
    price_store: float = typer.Option(_PRICES.store_gb_month, help="Euros for one GB of the object store and month."),
    core_watts: float = typer.Option(_PRICES.core_watts, help="Watts of one busy core."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Plan workers, partitions, disks, GPUs, money and energy. Needs no running stack (docs/capacity.md)."""
    found = compute(
        Demand(
            cameras,
            photographs_per_day,
            peak,
            utilisation,
            gpu,
            detector,
            photograph_kb,
            store_days,
            kafka_replicas,
            Prices(price_core, price_gpu, price_disk, price_store, core_watts),
        )
    )
    if as_json:
        echo_json(asdict(found))
        return
    plain_console().print(_table(found))
    for warning in found.warnings:
        echo(f"Warning: {warning}.")
    echo(f"Assumed, not measured: {'; '.join(found.assumed)}.")


def _table(found: Plan) -> Table:
    table = Table(box=None, show_header=False)
    rows = {
        "photographs per second, mean and peak": f"{found.mean_per_s:,.1f}; {found.peak_per_s:,.1f}",
        **{f"processes of {name}": f"{count:,}" for name, count in found.workers.items()},
        "partitions": f"{found.partitions:,}",
        "cores, of them for models": f"{found.cores:,.1f}; {found.model_cores:,.1f}",
        "GPUs": f"{found.gpus:,}",
        "Kafka's disks, GB": f"{found.kafka_gb:,.0f}",
        "object store, GB": f"{found.store_gb:,.0f}",
        "core-seconds per photograph": f"{found.core_s_per_photograph:.3f}",
        "euros per month, with disks and store": f"{found.euros_per_month:,.0f}",
        "euros per million photographs, computing": f"{found.euros_per_million:,.2f}",
        "watt-hours per million photographs": f"{found.wh_per_million:,.0f}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
