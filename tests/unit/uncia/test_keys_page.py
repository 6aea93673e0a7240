"""docs/keys.md lists every identity."""

import re

from tests.paths import ROOT
from uncia.access import StoreAction, TritonRight
from uncia.identities import (
    OPERATOR,
    PART_IDENTITIES,
    PERSONS,
    STORE_ADMIN,
    Identity,
    gateway_identity,
    replay_identity,
    shadow_identity,
    uploader_identity,
)

PAGE = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Who has what")[2].partition("\n## ")[0]
ROWS = {
    name: (store, triton)
    for line in TABLE.splitlines()
    if line.startswith("| `")
    for names, _, store, triton in [[cell.strip() for cell in line.strip("|").split("|")]]
    for name in re.findall(r"`([\w-]+)`", names)
}


PERSON_NAMES = {f"{role.value}-NAME": identity for role, identity in PERSONS.items()}
STATIONS = {"gateway-STATION": gateway_identity("STATION"), "uploader-STATION": uploader_identity("STATION")}
DERIVED = {"replay-NAME": replay_identity("name"), "shadow-MODEL-vN": shadow_identity("model-v1")}


def test_the_page_lists_every_identity() -> None:
    assert set(ROWS) == {*PART_IDENTITIES, OPERATOR.name, STORE_ADMIN.name, *STATIONS, *PERSON_NAMES, *DERIVED}


def test_its_rights_are_those_of_the_identities() -> None:
    everybody: dict[str, Identity] = {**PART_IDENTITIES, **PERSON_NAMES, **STATIONS, **DERIVED, OPERATOR.name: OPERATOR}
    for name, identity in everybody.items():
        store, triton = ROWS[name]
        actions = {right.action for right in identity.store}
        words = {
            StoreAction.READ: "reads",
            StoreAction.LIST: "lists",
            StoreAction.WRITE: "stores",
            StoreAction.DELETE: "deletes below",
        }
        for action, word in words.items():
            stated = word in store or (action is StoreAction.READ and "reads below" in store)
            assert stated == (action in actions), (name, action)
        for right in identity.store:
            assert right.prefix in store
        for triton_right in TritonRight:
            assert (triton_right.value in triton) == (triton_right in identity.triton)
