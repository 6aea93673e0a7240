"""The rights of persons, whether they come with an account to the dashboard or with a key to the broker."""

import pytest

from uncia.access import ACCOUNT_RIGHTS, AccountRole, PageRight
from uncia.identities import PERSONS, Role, person_identity
from uncia.topics import DEPLOYMENT_CHANGED


def test_every_role_of_an_account_has_rights() -> None:
    assert set(ACCOUNT_RIGHTS) == set(AccountRole)
    assert all(PageRight.VIEW in rights for rights in ACCOUNT_RIGHTS.values())


@pytest.mark.parametrize(
    ("account", "key", "exact"),
    [
        (AccountRole.VIEWER, Role.SUBSCRIBER, False),
        (AccountRole.RANGER, Role.RANGER, True),
        (AccountRole.OPERATOR, Role.OPERATOR, True),
    ],
)
def test_a_person_sees_exact_positions_with_an_account_and_with_a_key_or_with_neither(
    account: AccountRole, key: Role, exact: bool
) -> None:
    assert key in PERSONS
    assert (PageRight.EXACT_POSITIONS in ACCOUNT_RIGHTS[account]) is exact
    assert (DEPLOYMENT_CHANGED in person_identity(key, "ann").reads) is exact


def test_a_ranger_changes_nothing() -> None:
    assert not ACCOUNT_RIGHTS[AccountRole.RANGER] & {PageRight.REVIEW, PageRight.OPERATE, PageRight.ADMINISTER}
    assert not person_identity(Role.RANGER, "ann").writes
