"""The capacity model: more work never needs less, nothing has zero workers, and figures of stages are the page's."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.paths import ROOT
from uncia.capacity import Demand, Plan, Prices, plan
from uncia.capacity_costs import GPUS, STAGES, Origin, Work
from uncia.errors import UnciaError
from uncia.topology import WORKERS

_CAMERAS = st.integers(1, 2_000_000)
_PHOTOGRAPHS = st.floats(0.1, 1e9)

demands = st.builds(
    Demand,
    cameras=_CAMERAS,
    photographs_per_day=_PHOTOGRAPHS,
    peak=st.floats(1, 50),
    utilisation=st.floats(0.05, 1),
    gpu=st.sampled_from(["none", *GPUS]),
    detector=st.booleans(),
    store_days=st.floats(0, 4000),
    kafka_replicas=st.integers(1, 5),
)


def _amounts(found: Plan) -> list[float]:
    return [
        *found.workers.values(),
        found.partitions,
        found.cores,
        found.gpus,
        found.kafka_gb,
        found.store_gb,
        found.euros_per_month,
    ]


@given(demands, _PHOTOGRAPHS)
def test_more_photographs_never_need_less(demand: Demand, more: float) -> None:
    before = plan(demand)
    after = plan(replace(demand, photographs_per_day=demand.photographs_per_day + more))
    assert all(new >= old for old, new in zip(_amounts(before), _amounts(after), strict=True))


@given(demands, _CAMERAS)
def test_more_cameras_never_need_less(demand: Demand, more: int) -> None:
    before, after = plan(demand), plan(replace(demand, cameras=demand.cameras + more))
    assert all(new >= old for old, new in zip(_amounts(before), _amounts(after), strict=True))


@given(demands)
def test_every_worker_has_a_process_and_a_partition_for_each(demand: Demand) -> None:
    found = plan(demand)
    assert all(1 <= count <= found.partitions for count in found.workers.values())
    assert found.gpus >= (demand.gpu != "none")
    assert min(_amounts(found)) >= 0
    assert found.wh_per_million > 0


@given(demands)
def test_the_detector_never_makes_it_cheaper(demand: Demand) -> None:
    with_it, without = plan(replace(demand, detector=True)), plan(replace(demand, detector=False))
    assert with_it.cores > without.cores
    assert with_it.euros_per_month >= without.euros_per_month


def test_a_gpu_takes_the_models_from_the_cores() -> None:
    demand = Demand(5_000, 2e6)
    on_cores, on_gpu = plan(demand), plan(replace(demand, gpu="l4"))
    assert on_cores.model_cores > 0 and on_cores.gpus == 0
    assert on_gpu.model_cores == 0 and on_gpu.gpus == 1
    assert on_gpu.cores == pytest.approx(on_cores.cores - on_cores.model_cores)


def test_many_cameras_need_processes_of_bursts_however_few_photographs_they_send() -> None:
    assert plan(Demand(1_000_000, 1_000)).workers["bursts"] > 10


def test_own_prices_replace_the_assumed_ones() -> None:
    demand = Demand(5_000, 2e6, gpu="l4", prices=Prices(0, 0, 0, 0))
    assert plan(demand).euros_per_month == 0
    assert plan(replace(demand, prices=Prices(0, 2, 0, 0))).euros_per_month == pytest.approx(2 * 730)


def test_a_peak_beyond_the_single_process_of_the_catalogue_is_a_warning() -> None:
    assert not plan(Demand(10_000, 1e6)).warnings
    assert "catalogue" in plan(Demand(1_000_000, 1e8)).warnings[0]


def test_what_is_assumed_is_named() -> None:
    assert any("GPU l4" in name for name in plan(Demand(1, 1, gpu="l4")).assumed)
    assert not any("GPU" in name for name in plan(Demand(1, 1)).assumed)


@pytest.mark.parametrize(
    "change",
    [{"cameras": 0}, {"photographs_per_day": 0}, {"peak": 0.5}, {"utilisation": 0}, {"gpu": "abacus"}],
)
def test_impossible_demands_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(UnciaError):
        replace(Demand(10, 10), **change)  # type: ignore[arg-type]


def test_stages_of_workers_are_workers_of_the_topology() -> None:
    assert {stage.name for stage in STAGES if stage.work is Work.WORKER} <= set(WORKERS)


def test_measured_stages_name_their_source_machine_and_date() -> None:
    for stage in STAGES:
        assert stage.source and stage.machine and stage.date
        assert stage.origin is Origin.MEASURED or "assumed" in stage.source


def test_the_page_has_the_figures_of_the_worked_examples() -> None:
    page = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
    for demand in (Demand(10_000, 1e6), Demand(10_000, 1e6, gpu="l4"), Demand(1_000_000, 5e7, gpu="l4")):
        found = plan(demand)
        row = f"| {found.workers['predict']} | {found.workers['bursts']} | {found.partitions} | {found.cores:,.1f} |"
        assert row in page, row
        assert f"| {found.euros_per_million:,.2f} | {found.wh_per_million:,.0f} |" in page
