"""`uncia connect`: the configuration of other programs' clients, and a trial of the connections."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import typer

from uncia.access import StoreAction, TritonRight
from uncia.errors import SettingsError, UnciaError
from uncia.identities import OPERATOR, PERSONS, Identity, Role, person_identity, uploader_identity
from uncia.infra.connect.access import (
    KafkaAccess,
    StoreAccess,
    TritonAccess,
    kafka_access,
    store_access,
    triton_access,
)
from uncia.infra.connect.configuration import ClientConfiguration, write_files
from uncia.infra.connect.kafka_clients import KAFKA_CLIENTS
from uncia.infra.connect.store_clients import STORE_CLIENTS
from uncia.infra.connect.trial import try_kafka, try_store, try_triton
from uncia.infra.connect.triton_clients import TRITON_CLIENTS
from uncia.infra.local.doctor import Check, print_checks
from uncia.infra.local.key_management import issue
from uncia.infra.local.keys_command import describe_rights
from uncia.infra.local.network import require_addresses
from uncia.infra.local.security_checks import is_loopback
from uncia.infra.local.stack import Stack
from uncia.serving.triton_access import key_headers
from uncia.settings import Settings, read_settings, stack_dir
from uncia.terminal import echo, echo_json

_Access = TypeVar("_Access")

_PARTS = {"store": tuple(STORE_CLIENTS), "kafka": tuple(KAFKA_CLIENTS), "triton": tuple(TRITON_CLIENTS)}
_CLIENTS = tuple(client for clients in _PARTS.values() for client in clients)
_GATEWAY = "gateway"
_ROLES = (_GATEWAY, *(role.value for role in PERSONS))
_DEFAULT_FOLDER = Path("uncia-connect")


@dataclass(frozen=True)
class _Connections:
    """What one identity connects to."""

    settings: Settings
    identity: Identity
    store: StoreAccess | None = None
    kafka: KafkaAccess | None = None
    triton: TritonAccess | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    """By part, `store` or `kafka`: why the settings do not describe it."""


def connect(
    clients: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"Clients: {', '.join(_CLIENTS)}. By default all that the key is of use for; with `--for gateway` the "
            "gateway."
        ),
    ] = None,
    role: Annotated[
        str,
        typer.Option(
            "--for",
            help=f"Role for which a key is issued: {', '.join(_ROLES)}. Without it: the key of the settings here.",
        ),
    ] = "",
    station: Annotated[str, typer.Option(help="Station, with `--for gateway`.")] = "",
    name: Annotated[str, typer.Option(help="Name of the person or program, with any other role.")] = "",
    endpoint: Annotated[
        str, typer.Option(help="URL of the object store as the client reaches it, such as that of a proxy with TLS.")
    ] = "",
    network: Annotated[
        bool, typer.Option("--network", help="With the addresses for another machine (docs/network.md).")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the files into this folder, for you alone.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Instead, connect with this key, and report what worked.")
    ] = False,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print ready-made configuration of S3, Kafka and Triton clients, or try the connections.

    The output contains keys. `--for gateway --station ridge` issues a key for a board in the field, which stores
    photographs of this station and reads nothing, and prints what goes onto the board.

    With --check it exits with status 1 when a connection fails.
    """
    connections = _connections(role, station, name, endpoint, network=network)
    if check:
        _check(connections, _chosen(clients or [], connections, tolerant=True), as_json=as_json)
        return
    chosen = _chosen(clients or ([_GATEWAY] if role == _GATEWAY else []), connections)
    folder = output or _DEFAULT_FOLDER
    configurations = tuple(_render(client, connections, folder) for client in chosen)
    if output is not None:
        try:
            written = write_files(configurations, output)
        except OSError as error:
            raise UnciaError(f"{error.filename or output} cannot be written ({error.strerror})") from error
    if as_json:
        echo_json([dataclasses.asdict(configuration) for configuration in configurations], indent=2)
    else:
        for line in _lines(configurations, with_files=output is None):
            echo(line, lines=True)
    if output is not None:
        echo(f"Written for you alone: {', '.join(str(path) for path in written)}", err=True)
    _warn(connections, role)


def _connections(role: str, station: str, name: str, endpoint: str, *, network: bool) -> _Connections:
    """The connections of the key that the options name, which is issued where there is none."""
    if role and role not in _ROLES:
        raise UnciaError(f"{role!r} is no role: use one of {', '.join(_ROLES)}")
    if (role == _GATEWAY) != bool(station) or (role not in ("", _GATEWAY)) != bool(name):
        raise UnciaError(
            "`--for gateway` needs `--station STATION`, any other role `--name NAME`; without `--for` neither is used"
        )
    stack = Stack(stack_dir())
    elsewhere: dict[str, Any] = {}
    if network:
        addresses = require_addresses(stack.settings())
        elsewhere = {
            "kafka": addresses.kafka,
            "s3_endpoint": addresses.s3_endpoint,
            "s3_cafile": stack.require_keys().authority,
        }
    if endpoint:
        elsewhere["s3_endpoint"] = endpoint
    if not role:
        return _of(read_settings().model_copy(update=elsewhere), OPERATOR, with_triton=not network)
    identity = uploader_identity(station) if role == _GATEWAY else person_identity(Role(role), name)
    issue(stack, identity)
    return _of(stack.settings(identity).model_copy(update=elsewhere), identity, with_triton=not network)


def _of(settings: Settings, identity: Identity, *, with_triton: bool) -> _Connections:
    actions = {right.action for right in identity.store}
    station = identity.store[0].prefix.removesuffix("/") if identity.role is Role.UPLOADER else ""
    problems: dict[str, str] = {}

    def described(part: str, describe: Callable[[], _Access]) -> _Access | None:
        try:
            return describe()
        except SettingsError as error:
            problems[part] = str(error)
            return None

    def store() -> StoreAccess:
        reads, writes = (action in actions for action in (StoreAction.READ, StoreAction.WRITE))
        return store_access(settings, station=station, reads=reads, stores=writes)

    return _Connections(
        settings,
        identity,
        described("store", store) if actions else None,
        described("kafka", lambda: kafka_access(settings)) if identity.uses_kafka else None,
        _triton(settings) if with_triton and TritonRight.INFERENCE in identity.triton else None,
        problems,
    )


def _triton(settings: Settings) -> TritonAccess:
    # The embedded Triton has a socket for gRPC, and HTTP only where the setting says so; others have both.
    serves_http = settings.triton_serve_http or not settings.triton.startswith("unix:")
    inference_alone = settings.model_copy(update={"triton_control_key": None})
    return triton_access(settings, key_headers(inference_alone), serves_http=serves_http)


def _chosen(clients: list[str], connections: _Connections, *, tolerant: bool = False) -> list[str]:
    """The clients to describe: those that are named, or all of use.

    Raises `UnciaError` for one that is unknown or of no use with this key and, unless `tolerant`, for one whose part
    the settings do not describe.
    """
    useful = [client for part, known in _PARTS.items() if getattr(connections, part) is not None for client in known]
    if unknown := [client for client in clients if client not in _CLIENTS]:
        raise UnciaError(f"{unknown[0]!r} is none of the clients {', '.join(_CLIENTS)}")
    for part, problem in connections.problems.items():
        if tolerant:
            useful += _PARTS[part]
        elif set(clients) & set(_PARTS[part]):
            raise SettingsError(problem)
        elif not clients:
            echo(problem, err=True)
    if useless := [client for client in clients if client not in useful]:
        raise UnciaError(
            f"{useless[0]} is of no use with the key {connections.identity.name}, which may "
            f"{describe_rights(connections.identity)}, and nothing else"
        )
    return list(dict.fromkeys(clients)) or [client for client in useful if client != _GATEWAY or tolerant]


def _render(client: str, connections: _Connections, folder: Path) -> ClientConfiguration:
    if client in STORE_CLIENTS and connections.store is not None:
        return STORE_CLIENTS[client](connections.store, folder)
    if client in KAFKA_CLIENTS and connections.kafka is not None:
        return KAFKA_CLIENTS[client](connections.kafka, folder)
    if connections.triton is None:
        raise SettingsError(f"there is no access for {client}")
    return TRITON_CLIENTS[client](connections.triton, folder)


def _lines(configurations: tuple[ClientConfiguration, ...], *, with_files: bool) -> Iterator[str]:
    """What is printed: headings are comments, so that the rest can be copied."""
    shown: set[str] = set()
    for configuration in configurations:
        yield f"# === {configuration.client}"
        for file in configuration.files if with_files else ():
            if file.name in shown:
                yield f"# --- file {_DEFAULT_FOLDER / file.name}: as above"
                continue
            shown.add(file.name)
            yield f"# --- file {_DEFAULT_FOLDER / file.name} ({'SECRET' if file.secret else 'not secret'})"
            yield file.text.rstrip("\n")
        for note in configuration.notes:
            yield f"# {note}"
        if configuration.commands:
            yield "# --- commands"
            yield from configuration.commands
        yield ""


def _warn(connections: _Connections, role: str) -> None:
    """Say what is secret, what the key permits, and where its address can be reached."""
    identity = connections.identity
    what = f"the key {identity.name}, with which anybody may {describe_rights(identity)}" if role else "your own key"
    echo(
        f"Files marked SECRET contain {what}. Keep them readable for their user alone, as `--output FOLDER` writes "
        "them.",
        err=True,
    )
    if role:
        echo(f"`uncia keys revoke {identity.name}` makes the key useless when it is lost.", err=True)
    host = urlsplit(connections.store.endpoint).hostname if connections.store else None
    if host and (host == "localhost" or is_loopback(host)):
        echo(
            f"{host} is this machine alone: for another one, repeat with `--network` (docs/network.md), or with "
            "`--endpoint https://…`, the URL of a proxy with TLS before the store.",
            err=True,
        )


def _check(connections: _Connections, clients: list[str], *, as_json: bool) -> None:
    """Try the parts of these clients, and exit with status 1 when one fails."""
    checks: list[Check] = []
    for part, known in _PARTS.items():
        if not set(clients) & set(known):
            continue
        if problem := connections.problems.get(part):
            checks.append(Check(part, False, problem))
        elif part == "store" and connections.store is not None:
            checks += try_store(connections.store, connections.settings)
        elif part == "kafka" and connections.kafka is not None:
            checks += try_kafka(connections.kafka, connections.settings)
        elif connections.triton is not None:
            checks += try_triton(connections.triton)
    print_checks(checks, as_json=as_json)
    raise typer.Exit(0 if checks and all(check.ok for check in checks) else 1)
