"""What the public would see of a burst, on the burst's page."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.unit.dashboard.catalogue.catalogue_data import newest_burst
from tests.unit.dashboard.web.conftest import SignIn
from uncia.camtrap.public_view import PublicFacts, Withheld, public_facts
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.public_panel import public_facts_of
from uncia.dashboard.web.services import Services


@pytest.fixture(autouse=True)
def _cells_of_one_camera(services: Services) -> None:
    services.settings = services.settings.model_copy(update={"public_cell_cameras": 1})


def bursts_of(catalogue: Catalogue) -> list[str]:
    return [row.burst_id for row in catalogue.bursts(limit=200).rows]


def panel_of(client: TestClient, burst_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/bursts/{burst_id}.json").json()["public"]
    return found


def a_burst(catalogue: Catalogue, taxon: str) -> str:
    return next(row.burst_id for row in catalogue.bursts(limit=200).rows if row.taxon == taxon and row.certain)


def test_the_catalogue_has_the_facts_of_the_log(catalogue: Catalogue) -> None:
    compared = set[object]()
    for burst_id in bursts_of(catalogue):
        detail = catalogue.burst(burst_id)
        assert detail is not None
        if detail.burst.reviewed:
            continue
        logged, stored = public_facts(newest_burst(burst_id)), public_facts_of(detail)
        if isinstance(logged, PublicFacts):
            assert isinstance(stored, PublicFacts)
            assert set(stored.names) == set(logged.names)
            assert (stored.camera, stored.started_at, stored.closed_at, stored.taxon) == (
                logged.camera,
                logged.started_at,
                logged.closed_at,
                logged.taxon,
            )
        else:
            assert stored is logged
        compared.add(logged if isinstance(logged, Withheld) else "seen")
    assert {"seen", Withheld.NO_ANIMAL} <= compared


def test_the_page_shows_taxon_time_and_cell_of_an_animal(catalogue: Catalogue, sign_in: SignIn) -> None:
    burst_id, operator = a_burst(catalogue, "Capra sibirica"), sign_in(Role.OPERATOR)
    panel = panel_of(operator, burst_id)
    assert panel["event"]["taxon"] == "Capra sibirica"
    assert panel["event"]["precision"] == panel["cell_degrees"] is not None
    page = operator.get(f"/bursts/{burst_id}").text
    assert "What the public would see" in page
    assert "The public tier is off" in page
    assert f"a cell of {panel['cell_degrees']}°" in page


def test_the_cell_of_a_camera_is_hidden_from_those_who_may_not_have_its_position(
    catalogue: Catalogue, sign_in: SignIn
) -> None:
    panel = panel_of(sign_in(), a_burst(catalogue, "Capra sibirica"))
    assert panel["cell_degrees"] is not None
    assert panel["event"]["latitude"] is panel["event"]["longitude"] is panel["event"]["precision"] is None


def test_nothing_of_a_snow_leopard_is_seen_and_the_page_says_why(catalogue: Catalogue, sign_in: SignIn) -> None:
    burst_id, operator = a_burst(catalogue, "Panthera uncia"), sign_in(Role.OPERATOR)
    panel = panel_of(operator, burst_id)
    assert (panel["event"], panel["withheld"]) == (None, "sensitive_taxon")
    assert "The place of a taxon that is in the burst is withheld" in operator.get(f"/bursts/{burst_id}").text


def test_a_cell_with_few_cameras_is_not_shown(catalogue: Catalogue, sign_in: SignIn, services: Services) -> None:
    services.settings = services.settings.model_copy(update={"public_cell_cameras": 1000})
    panel = panel_of(sign_in(Role.OPERATOR), a_burst(catalogue, "Capra sibirica"))
    assert (panel["event"]["latitude"], panel["cell_degrees"]) == (None, None)
    assert "-W" in panel["event"]["period"]
