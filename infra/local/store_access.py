"""Access rules of SeaweedFS's S3 server, derived from the identities: a policy of each, in the language of Amazon S3.

SeaweedFS's own, simpler rules (`Write:bucket`) permit nothing here: `Write` includes deleting versions, suspending
versioning and setting a lifecycle that expires everything (tried on 4.48). With a policy attached, the policy decides
instead. Forms in a browser (presigned POST) alone need such a rule in addition to the policy, see `_forms_action`.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from uncia.access import StoreAction, StoreRight
from uncia.identities import (
    PERSONS,
    STORE_ADMIN,
    Identity,
    Role,
    gateway_identity,
    identity_named,
    replay_identity,
    shadow_identity,
    uploader_identity,
)
from uncia.infra.local.credentials import Credential

__all__ = ["gateways_policy", "key_of_user", "policy_of", "s3_configuration", "uploaders_policy", "user_name"]

_OBJECT_ACTIONS: dict[StoreAction, tuple[str, ...]] = {
    StoreAction.READ: ("s3:GetObject", "s3:GetObjectVersion"),
    StoreAction.WRITE: ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    StoreAction.DELETE: ("s3:DeleteObject", "s3:DeleteObjectVersion"),
}
_USER = "${aws:username}"
_GATEWAYS = "gateways"
_UPLOADERS = "uploaders"

_DERIVED = {Role.REPLAY: replay_identity("any"), Role.SHADOW: shadow_identity("any-v1")}

_BUCKET_ACTIONS = ("s3:ListBucket", "s3:ListBucketVersions")
_FORM_ROLES = frozenset({Role.GATEWAY, Role.UPLOADER, Role.OPERATOR})
"""Whose signed forms upload: persons, and boards. No part of the stack makes forms."""


def policy_of(identity: Identity, bucket: str) -> dict[str, Any]:
    """The policy document that permits what `identity` may do, and nothing else."""
    return {"Version": "2012-10-17", "Statement": [_statement(right, bucket) for right in identity.store]}


def _statement(right: StoreRight, bucket: str) -> dict[str, Any]:
    name = f"arn:aws:s3:::{bucket}"
    if right.action is StoreAction.LIST:
        if right.prefix:
            raise ValueError("a right to list covers the whole bucket")
        return {"Effect": "Allow", "Action": list(_BUCKET_ACTIONS), "Resource": [name]}
    actions = list(_OBJECT_ACTIONS[right.action])
    return {"Effect": "Allow", "Action": actions, "Resource": [f"{name}/{right.prefix}*"]}


def gateways_policy(bucket: str) -> dict[str, Any]:
    """The one policy of all gateways: its prefix is the name of the user, which is that of the station.

    A running server reads new identities from its file and no new policies (SeaweedFS 4.48), so that a policy for each
    gateway would take effect at the next start only.
    """
    return policy_of(_for_every_station(gateway_identity("station")), bucket)


def uploaders_policy(bucket: str) -> dict[str, Any]:
    """The one policy of all uploaders, likewise: the name of the user is the whole prefix, with its slash.

    The condition refuses a server that takes the name for empty, and the prefix for the whole bucket: one started by
    `weed server`, which the stack does not use, takes the part after the last slash (SeaweedFS 4.48).
    """
    model = _for_every_station(uploader_identity("station"))
    policy: dict[str, Any] = json.loads(json.dumps(policy_of(model, bucket)).replace(f"{_USER}/*", f"{_USER}*"))
    for statement in policy["Statement"]:
        statement["Condition"] = {"StringLike": {"aws:username": "?*/"}}
    return policy


def _forms_action(bucket: str) -> str:
    """The rule of SeaweedFS's own that forms need: to write to the bucket, and to no key in it.

    For a presigned POST, SeaweedFS 4.48 checks a rule on the bucket, and then the policy with the key in the form. The
    rule is a pattern that matches the name of the bucket without a key, so that it permits no object where a server
    should not see the policy.
    """
    return f"Write:{bucket[:-1]}?"


def _for_every_station(model: Identity) -> Identity:
    """The identity of `station` with the name of the user for the name of the station, below every prefix."""
    rights = (StoreRight(right.action, right.prefix.replace("station/", f"{_USER}/")) for right in model.store)
    return replace(model, store=tuple(rights))


def user_name(identity: Identity) -> str:
    """The name of an identity in the store: a gateway's station, an uploader's station with a slash; for all others a
    name that no station can have.

    Names must differ: a server that reads its file again drops all but the last key of a name (SeaweedFS 4.48).
    """
    if identity.role is Role.GATEWAY:
        return identity.store[0].prefix.removesuffix("/")
    return identity.store[0].prefix if identity.role is Role.UPLOADER else f"uncia/{identity.name}"


def key_of_user(user: str) -> str:
    """The name of the key of a user of the store, the reverse of `user_name`; empty for that of an unsigned request."""
    own = user.removeprefix("uncia/")
    if own != user or not user:
        return own
    kind = Role.UPLOADER if user.endswith("/") else Role.GATEWAY
    return f"{kind}-{quote(user.removesuffix('/'), safe='')}"


def _policy_of_role(role: Role) -> str:
    return f"{role.value}s"


def s3_configuration(credentials: Mapping[str, Credential], bucket: str) -> str:
    """The server's file of identities, as JSON: those among `credentials` that have rights in the store.

    A key whose name is no identity of this version is left out.
    """
    identities: list[dict[str, Any]] = []
    policies = [
        {"name": _GATEWAYS, "content": json.dumps(gateways_policy(bucket))},
        {"name": _UPLOADERS, "content": json.dumps(uploaders_policy(bucket))},
        # A running server reads no new policies, and keys of persons, replays and shadows are issued while it runs.
        *(
            {"name": _policy_of_role(role), "content": json.dumps(policy_of(model, bucket))}
            for role, model in {**PERSONS, **_DERIVED}.items()
            if model.store
        ),
    ]
    for name, credential in sorted(credentials.items()):
        identity = identity_named(name)
        if identity is None or not (identity.store or identity == STORE_ADMIN):
            continue
        entry: dict[str, Any] = {
            "name": user_name(identity),
            "credentials": [{"accessKey": credential.access_key, "secretKey": credential.secret_key}],
        }
        if identity == STORE_ADMIN:
            entry["actions"] = ["Admin"]
        elif credential.revoked:
            # It stays in the file, so that a server that reads the file again forgets the old secret.
            entry["policyNames"] = []
        elif identity.role is Role.GATEWAY:
            entry["policyNames"] = [_GATEWAYS]
        elif identity.role is Role.UPLOADER:
            entry["policyNames"] = [_UPLOADERS]
        elif identity.role in (*PERSONS, *_DERIVED):
            entry["policyNames"] = [_policy_of_role(identity.role)]
        else:
            entry["policyNames"] = [name]
            policies.append({"name": name, "content": json.dumps(policy_of(identity, bucket))})
        if identity.role in _FORM_ROLES and entry["policyNames"]:
            entry["actions"] = [_forms_action(bucket)]
        identities.append(entry)
    return json.dumps({"identities": identities, "policies": policies}, indent=2) + "\n"
