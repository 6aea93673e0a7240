"""Who may do what, as far as it does not follow from the topics: the rights of parts and of accounts.

A part has rights to objects in the store, at Triton, and at the broker; an account has those of its role on pages.

A row of `uncia.topology.PARTS` lists these rights next to the part's topics, and `uncia.identities` derives an identity
from each row.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "ACCOUNT_RIGHTS",
    "READ_ALL",
    "AccountRole",
    "BrokerRight",
    "PageRight",
    "StoreAction",
    "StoreRight",
    "TritonRight",
]


class StoreAction(StrEnum):
    """Kinds of requests to the object store."""

    READ = "read"
    """Bytes and metadata of an object (GET and HEAD). S3 has no permission for HEAD alone."""
    LIST = "list"
    """Keys, and their versions."""
    WRITE = "write"
    """Store an object. In a versioned bucket, what had the same key remains as an older version."""
    DELETE = "delete"
    """Delete an object with all its older versions. Nobody has the right for photographs."""


@dataclass(frozen=True)
class StoreRight:
    """One action on the objects of the upload bucket whose keys start with a prefix."""

    action: StoreAction
    prefix: str = ""
    """Empty for the whole bucket; otherwise whole levels of a key, such as `crops/`."""

    def __post_init__(self) -> None:
        """Check the prefix. Without the slash, a right for the station `ridge` would include `ridge-2`."""
        if self.prefix and not self.prefix.endswith("/"):
            raise ValueError(f"the prefix {self.prefix!r} does not end with a slash")

    def permits(self, action: StoreAction, key: str) -> bool:
        """True when the action on the object with this key is permitted."""
        return action is self.action and key.startswith(self.prefix)


READ_ALL = (StoreRight(StoreAction.READ), StoreRight(StoreAction.LIST))
"""Read every object. The workers list keys too: when one object cannot be read, they test whether others can."""


class TritonRight(StrEnum):
    """Kinds of requests to Triton, each protected by a key of its own."""

    INFERENCE = "inference"
    """Inference, and the metadata of models."""
    CONTROL = "control"
    """Load and unload models, shared memory, trace, log settings, statistics. Whoever loads a model runs its code."""


class BrokerRight(StrEnum):
    """What a part may do at the broker with topics and consumer groups that are not in its row."""

    INSPECT = "inspect"
    """Describe all topics and all consumer groups, with their offsets; no message is read."""
    REPLAY = "replay"
    """Create, read, write and delete topics and consumer groups of replays and shadows."""


class AccountRole(StrEnum):
    """Roles of the dashboard's accounts. Keys of the same name (`uncia.identities`) are for their programs."""

    VIEWER = "viewer"
    RANGER = "ranger"
    """A person in the field."""
    REVIEWER = "reviewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class PageRight(StrEnum):
    """What a page or an action of the dashboard requires."""

    VIEW = "view"
    REVIEW = "review"
    """Decide on bursts, and request explanations."""
    OPERATE = "operate"
    """See workers, lags and dead letters; retry and drop these."""
    HANDLE_ALERTS = "handle-alerts"
    """Acknowledge alerts, and mute rules and cameras."""
    ADMINISTER = "administer"
    """Manage accounts."""
    EXACT_POSITIONS = "exact-positions"
    """See where a camera is to the metre."""
    PEOPLE = "person-pictures"
    """See photographs of bursts with a person as they are; everyone else gets blurred copies."""


ACCOUNT_RIGHTS: dict[AccountRole, frozenset[PageRight]] = {
    AccountRole.VIEWER: frozenset({PageRight.VIEW}),
    AccountRole.RANGER: frozenset({PageRight.VIEW, PageRight.HANDLE_ALERTS, PageRight.EXACT_POSITIONS}),
    AccountRole.REVIEWER: frozenset({PageRight.VIEW, PageRight.REVIEW, PageRight.HANDLE_ALERTS, PageRight.PEOPLE}),
    AccountRole.OPERATOR: frozenset(
        {
            PageRight.VIEW,
            PageRight.REVIEW,
            PageRight.HANDLE_ALERTS,
            PageRight.OPERATE,
            PageRight.EXACT_POSITIONS,
        }
    ),
    AccountRole.ADMIN: frozenset(PageRight),
}
"""The rights of each role.

Reviewers see people, since a wrong verdict `person` can only be corrected by someone who sees the photograph. Operators
look after machines and rangers after places: neither needs to know who is in a photograph. An admin could open a
reviewer's account at any time, so that withholding the right would protect nothing. Each viewing is in the audit log.
"""
