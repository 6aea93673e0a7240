"""`uncia keys`: issue, list, rotate and revoke keys of the embedded stack, and show who used them."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

import typer
from rich.table import Table

from uncia.access import BrokerRight, StoreAction
from uncia.audit import audit_file, read_audit
from uncia.errors import UnciaError
from uncia.identities import (
    PERSONS,
    STORE_ADMIN,
    Identity,
    Role,
    gateway_identity,
    identity_named,
    person_identity,
    uploader_identity,
)
from uncia.infra.local.key_management import issue, revoke, rotate
from uncia.infra.local.layout import write_private
from uncia.infra.local.network import require_addresses
from uncia.infra.local.position_keys_command import open_position, position_pair
from uncia.infra.local.shared_rotation import rotate_certificates, rotate_triton
from uncia.infra.local.stack import Stack
from uncia.infra.local.stack_identity import assignment
from uncia.settings import stack_dir
from uncia.terminal import echo, echo_json, plain_console
from uncia.topics import Topic

app = typer.Typer(
    help="Issue, list, rotate and revoke the keys of the embedded stack; show who used them.", no_args_is_help=True
)
issue_app = typer.Typer(help="Issue a key.", no_args_is_help=True)
app.add_typer(issue_app, name="issue")
app.command("position-pair")(position_pair)
app.command("open-position")(open_position)

_SHARED = {"triton": rotate_triton, "certificates": rotate_certificates}

_VERBS = {
    StoreAction.READ: "read",
    StoreAction.LIST: "list",
    StoreAction.WRITE: "store",
    StoreAction.DELETE: "delete",
}

_Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write them to this file, which only you can read.")
]
_Network = Annotated[bool, typer.Option("--network", help="With the addresses for another machine (docs/network.md).")]
_Cafile = Annotated[
    Path, typer.Option(help="With --network: where that machine keeps the certificate of the stack's authority.")
]
_CAFILE = Path("/etc/uncia/ca.pem")
_PersonName = Annotated[str, typer.Argument(help="A name for the person or program, such as `map-office`.")]
_JSON = typer.Option(False, "--json", help="Print JSON.")
_Name = Annotated[str, typer.Argument(help="Name of the key, as `uncia keys list` shows it.")]


@issue_app.command("gateway")
def gateway(
    station: Annotated[str, typer.Argument(help="Station whose photographs the gateway uploads.")],
    output: _Output = None,
    network: _Network = False,
    cafile: _Cafile = _CAFILE,
    as_json: bool = _JSON,
) -> None:
    """Print the settings of a station's gateway, with a key that stores and reads this station's photographs alone.

    The same key is printed again until it is revoked.
    """
    _issue_for_station(gateway_identity(station), output, network=network, cafile=cafile, as_json=as_json)


@issue_app.command("uploader")
def uploader(
    station: Annotated[str, typer.Argument(help="Station whose photographs the client uploads.")],
    output: _Output = None,
    network: _Network = False,
    cafile: _Cafile = _CAFILE,
    as_json: bool = _JSON,
) -> None:
    """Print the settings of an S3 client that stores photographs of one station, and reads nothing.

    For a board that may be stolen; `uncia connect --for gateway` prints the configuration of its client. The same key
    is printed again until it is revoked.
    """
    _issue_for_station(uploader_identity(station), output, network=network, cafile=cafile, as_json=as_json)


def _issue_for_station(identity: Identity, output: Path | None, *, network: bool, cafile: Path, as_json: bool) -> None:
    stack = Stack(stack_dir())
    credential = issue(stack, identity)
    variables = {
        **_addresses(stack, identity, network=network, cafile=cafile),
        "UNCIA_S3_ACCESS_KEY": credential.access_key,
        "UNCIA_S3_SECRET_KEY": credential.secret_key,
    }
    _deliver(variables, identity, output, as_json=as_json)


def _person_command(role: Role, what: str) -> None:
    """Add the command that issues a key of a role; `what`: its help."""

    @issue_app.command(role.value, help=what)
    def issue_to_person(
        name: _PersonName,
        output: _Output = None,
        network: _Network = False,
        cafile: _Cafile = _CAFILE,
        as_json: bool = _JSON,
    ) -> None:
        _issue_to_person(role, name, output, network=network, cafile=cafile, as_json=as_json)


_person_command(
    Role.SUBSCRIBER,
    """Print the settings of a program that subscribes to the results, and may do nothing else.

    It reads verdicts, crops, explanations and assessments of clocks, and no positions. Its consumer groups begin with
    `subscriber-NAME`. The same key is printed again until it is revoked.
    """,
)
_person_command(
    Role.PUBLIC,
    "Print the settings of a program that reads the public tier (docs/public_tier.md), and may do nothing else.",
)
_person_command(
    Role.RANGER,
    "Print the settings of a person in the field, who reads what subscribers read, and exact positions of cameras.",
)
_person_command(
    Role.EXPORTER,
    """Print the settings of a program that copies the catalogue elsewhere.

    It reads all that the catalogue reads, exact positions included, and all objects of the store; it writes nothing.
    """,
)
_person_command(
    Role.OPERATOR,
    """Print the settings of a further person who runs Uncia, with the rights of the key in `stack.env`.

    Persons with keys of their own can be distinguished in the logs, and lose theirs without a change for the others.
    """,
)


def _issue_to_person(role: Role, name: str, output: Path | None, *, network: bool, cafile: Path, as_json: bool) -> None:
    stack, identity = Stack(stack_dir()), person_identity(role, name)
    addresses = _addresses(stack, identity, network=network, cafile=cafile)
    issue(stack, identity)
    keys = {name: value for name, value in stack.require_keys().environment(identity).items() if value}
    _deliver({**keys, **addresses}, identity, output, as_json=as_json)


def _addresses(stack: Stack, identity: Identity, *, network: bool, cafile: Path) -> dict[str, str]:
    """The addresses of what an identity may use: on this machine, or for another one. Raises `SettingsError`."""
    settings = stack.settings()
    uses_store = bool(identity.store)
    if not network:
        store = {"UNCIA_S3_ENDPOINT": settings.s3_endpoint or "", "UNCIA_BUCKET": settings.bucket}
        return {
            **({"UNCIA_KAFKA": settings.kafka} if identity.uses_kafka else {}),
            **(store if uses_store else {}),
            **({"UNCIA_TRITON": settings.triton} if identity.triton else {}),
        }
    elsewhere = require_addresses(settings)
    store = {
        "UNCIA_S3_ENDPOINT": elsewhere.s3_endpoint,
        "UNCIA_S3_CAFILE": str(cafile),
        "UNCIA_BUCKET": settings.bucket,
    }
    kafka = {"UNCIA_KAFKA": elsewhere.kafka, "UNCIA_KAFKA_CAFILE": str(cafile)}
    return {**(kafka if identity.uses_kafka else {}), **(store if uses_store else {})}


def _deliver(variables: Mapping[str, str], identity: Identity, output: Path | None, *, as_json: bool) -> None:
    lines = [assignment(name, value) for name, value in variables.items()]
    if output is not None:
        try:
            write_private(output, "\n".join([*lines, ""]))
        except OSError as error:
            raise UnciaError(f"{output} cannot be written ({error.strerror})") from error
    elif as_json:
        echo_json(variables)
    else:
        for line in lines:
            echo(line)
    echo(f"{identity.name} may {describe_rights(identity)}, and nothing else.", err=True)
    cafile = variables.get("UNCIA_S3_CAFILE") or variables.get("UNCIA_KAFKA_CAFILE")
    if cafile and Path(cafile) != (stack_dir() / "keys" / "ca.pem").absolute():
        echo(f"Copy {stack_dir() / 'keys' / 'ca.pem'}, which is no secret, to {cafile} on that machine.", err=True)


@app.command("list")
def list_keys(as_json: bool = _JSON) -> None:
    """List all keys with what each permits, without their secrets."""
    keys = Stack(stack_dir()).require_keys()
    rows = [
        {
            "name": name,
            "permits": describe_rights(identity) if identity else "nothing: this version does not know the name",
            "issued": credential.issued,
            "revoked": credential.revoked,
        }
        for name, credential in sorted(keys.credentials.items())
        for identity in [identity_named(name)]
    ]
    if as_json:
        echo_json(rows, indent=2)
        return
    table = Table("key", "permits to", "issued")
    for row in rows:
        permits = f"nothing: revoked {row['revoked']}" if row["revoked"] else row["permits"]
        table.add_row(row["name"], permits, row["issued"])
    plain_console().print(table)


@app.command("rotate")
def rotate_key(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the key, as `uncia keys list` shows it; `triton` for the keys of Triton, `certificates` for "
            "the stack's authority and certificates."
        ),
    ],
) -> None:
    """Replace the secret of a key, the keys of Triton, or the stack's certificates.

    A gateway is refused until it has the new one, and keeps its photographs meanwhile. Parts of the stack are restarted
    with their new keys; nothing is lost.
    """
    if name in _SHARED:
        restarted = _SHARED[name](Stack(stack_dir()), partial(echo, err=True))
        done = f"Restarted: {', '.join(restarted)}." if restarted else "No part that has them runs."
        echo(f"{done} The old {'keys' if name == 'triton' else name} are refused.", err=True)
        return
    rotate(Stack(stack_dir()), name)
    role, _, owner = name.partition("-")
    if owner and role in (Role.GATEWAY, Role.UPLOADER, *PERSONS):
        echo(f"The old key is refused. `uncia keys issue {role} {unquote(owner)}` prints the new one.", err=True)
    else:
        echo("The old key is refused.", err=True)


@app.command("revoke")
def revoke_key(name: _Name) -> None:
    """Make the key of a gateway or a person useless, at once."""
    revoke(Stack(stack_dir()), name)
    echo(f"{name} is refused from now on. What it stored is kept.", err=True)


@app.command("environment")
def environment(name: _Name, network: _Network = False, cafile: _Cafile = _CAFILE) -> None:
    """Print the variables with which a further process of a part connects, such as a second `uncia worker predict`.

    They contain its keys: `set -a; eval "$(uncia keys environment predict)"; uncia worker predict`. On another machine
    those parts can run that need no Triton.
    """
    stack = Stack(stack_dir())
    keys, identity = stack.require_keys(), identity_named(name)
    if identity is None or name not in keys.credentials:
        raise UnciaError(f"there is no key {name!r}: `uncia keys list` shows all")
    addresses = _addresses(stack, identity, network=True, cafile=cafile) if network else {}
    for variable, value in {**keys.environment(identity), **addresses}.items():
        echo(assignment(variable, value))


@app.command("audit")
def audit(
    action: Annotated[str, typer.Option(help="Records of this action only, such as `positions_read`.")] = "",
    as_json: bool = _JSON,
) -> None:
    """List who used which key or account, who read exact positions, and what was refused, oldest first."""
    records = [record for record in read_audit(audit_file(stack_dir())) if action in ("", record.get("action"))]
    if as_json:
        for record in records:
            echo_json(record)
        return
    table = Table("at", "who", "did", "to", "details")
    for record in records:
        shown = [str(record.pop(name, "")) for name in ("at", "who", "action", "what")]
        table.add_row(*shown, ", ".join(f"{name} {value}" for name, value in record.items()))
    plain_console().print(table)


def describe_rights(identity: Identity) -> str:
    """What an identity may do in the store, at Triton and at the broker, in words."""
    if identity == STORE_ADMIN:
        return "do everything in the store"
    by_prefix: dict[str, list[str]] = {}
    for right in identity.store:
        by_prefix.setdefault(right.prefix, []).append(_VERBS[right.action])
    by_verbs: dict[str, list[str]] = {}
    for prefix, verbs in by_prefix.items():
        by_verbs.setdefault(_joined(verbs), []).append(prefix)
    parts = [
        f"{verbs} {'all objects' if '' in prefixes else f'objects below {_joined(prefixes)}'}"
        for verbs, prefixes in by_verbs.items()
    ]
    parts += [f"use Triton for {right.value}" for right in identity.triton]
    parts += [
        f"{verb} {_topics(topics)}"
        for verb, topics in (("read", identity.reads | identity.changelogs), ("write", identity.writes))
        if topics
    ]
    if identity.namespace:
        kind, _, own = identity.namespace.partition("-")
        parts.append(f"use the topics of the {kind} {own}")
    if BrokerRight.INSPECT in identity.broker:
        parts.append("see all topics and consumer groups")
    if BrokerRight.REPLAY in identity.broker:
        parts.append("create and delete topics of replays and shadows")
    return "; ".join(parts) or "do nothing"


def _topics(topics: AbstractSet[Topic]) -> str:
    return next(iter(topics)).name if len(topics) == 1 else f"{len(topics)} topics"


def _joined(verbs: list[str]) -> str:
    return verbs[0] if len(verbs) == 1 else f"{', '.join(verbs[:-1])} and {verbs[-1]}"
