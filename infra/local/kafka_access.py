"""Users and access rules of the stack's own broker: one user for each identity, and what its row of the topology says.

They are written when they differ from what was written last: at the first start, after an upgrade that changed rows of
the topology, and when a key is issued, rotated or revoked.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError

from uncia.broker_rules import Rule, rules_of
from uncia.errors import StackError
from uncia.identities import identity_named
from uncia.infra.local.credentials import Credential
from uncia.kafka.connection import connect_admin
from uncia.settings import Settings
from uncia.storage.durable import write_durably

__all__ = ["grant_access"]

_MECHANISM = ScramMechanism.SCRAM_SHA_512
_EVERY_RULE = ACLFilter(
    principal=None,
    host=None,
    operation=ACLOperation.ANY,
    permission_type=ACLPermissionType.ANY,
    resource_pattern=ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
)


def grant_access(settings: Settings, credentials: Mapping[str, Credential], written: Path) -> None:
    """Give the broker the users of these credentials and their rules, and remove all others.

    `settings` are those of an administrator; `written` is the file that names what was written last. Raises
    `DependencyDown` while the broker does not answer, and `StackError`.
    """
    identities = [
        identity
        for name, credential in credentials.items()
        if (identity := identity_named(name)) is not None and identity.uses_kafka and not credential.revoked
    ]
    passwords = {identity.name: credentials[identity.name].kafka_password for identity in identities}
    rules = {_acl(identity.name, rule) for identity in identities for rule in rules_of(identity, settings)}
    wanted = _digest(rules, passwords)
    if written.exists() and written.read_text(encoding="utf-8") == wanted:
        return
    admin = connect_admin(settings, client_id="uncia-access")
    try:
        # Rules first: a user that can sign in has rights. Removed users lose theirs before.
        _replace_rules(admin, rules)
        _replace_users(admin, passwords)
    except KafkaError as error:
        raise StackError(f"Kafka did not accept the access rules ({type(error).__name__}: {error})") from error
    finally:
        admin.close()
    write_durably(written, wanted)


def _acl(user: str, rule: Rule) -> ACL:
    pattern = ACLResourcePatternType.PREFIXED if rule.prefixed else ACLResourcePatternType.LITERAL
    return ACL(
        principal=f"User:{user}",
        host="*",
        operation=ACLOperation[rule.operation.name],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(ResourceType[rule.resource.name], rule.name, pattern),
    )


def _replace_rules(admin: KafkaAdminClient, wanted: set[ACL]) -> None:
    present, _ = admin.describe_acls(_EVERY_RULE)
    if missing := sorted(wanted - set(present), key=repr):
        answer = admin.create_acls(missing)
        if answer["failed"]:
            raise answer["failed"][0]()
    if outdated := sorted(set(present) - wanted, key=repr):
        for _, _, error in admin.delete_acls(outdated):
            if error.errno:
                raise error()


def _replace_users(admin: KafkaAdminClient, passwords: Mapping[str, str]) -> None:
    present = admin.describe_user_scram_credentials()
    outdated = [UserScramCredentialDeletion(name, _MECHANISM) for name in sorted(set(present) - set(passwords))]
    changed = [UserScramCredentialUpsertion(name, _MECHANISM, password) for name, password in passwords.items()]
    answer = admin.alter_user_scram_credentials([*outdated, *changed])
    if refused := {name: reason for name, reason in answer.items() if reason}:
        name, reason = next(iter(refused.items()))
        raise StackError(f"Kafka did not accept the user {name}: {reason}")


def _digest(rules: set[ACL], passwords: Mapping[str, str]) -> str:
    """Identifies all of it without revealing the passwords."""
    described = json.dumps([sorted(repr(rule) for rule in rules), sorted(passwords)])
    secrets = "".join(passwords[name] for name in sorted(passwords))
    return hashlib.sha256(f"{described}{secrets}".encode()).hexdigest() + "\n"
