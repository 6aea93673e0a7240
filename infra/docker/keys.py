"""Draws the keys of the containers and writes their files: `python -m uncia.infra.docker.keys`, in the service `keys`.

Paths are those of the service in `docker-compose.yml`: /keys/own has all keys, /keys/NAME is the volume of a service.
"""

from pathlib import Path
from typing import Annotated

import typer

from uncia.errors import StackError
from uncia.identities import OPERATOR, Identity, identity_named
from uncia.infra.docker.command_line import run
from uncia.infra.docker.container_files import Addresses, setting_files, write_container_files
from uncia.infra.local.credentials import (
    ALWAYS_DRAWN,
    Credential,
    StackKeys,
    ensure_keys,
    read_keys,
    write_credential,
)
from uncia.infra.local.kafka_files import Listener
from uncia.infra.local.stack_identity import assignment
from uncia.settings import read_settings
from uncia.terminal import echo

app = typer.Typer(help="Draw and show the keys of the containers.", no_args_is_help=True, add_completion=False)

_Folder = Annotated[Path, typer.Option(help="Folder of the volumes.")]
_KafkaPort = Annotated[int, typer.Option(envvar="KAFKA_PORT", help="Port of Kafka on this machine.")]
_S3Port = Annotated[int, typer.Option(envvar="S3_PORT", help="Port of the object store on this machine.")]
_Name = Annotated[
    str, typer.Argument(help="Name of the key, such as operator, gateway-ridge or subscriber-map-office.")
]

_FOLDER = Path("/keys")


@app.command()
def draw(folder: _Folder = _FOLDER, kafka_port: _KafkaPort = 9092) -> None:
    """Draw what is missing, and write the files of each container. Keys that exist stay as they are."""
    keys = _write(folder, kafka_port)
    echo(f"{len(keys.credentials)} keys, one certificate authority, and the files of all containers are in place")


@app.command()
def environment(
    name: _Name = OPERATOR.name,
    folder: _Folder = _FOLDER,
    kafka_port: _KafkaPort = 9092,
    s3_port: _S3Port = 8333,
    cafile: Annotated[Path, typer.Option(help="Where `keys authority` was written to, on this machine.")] = Path(
        "uncia-ca.pem"
    ),
) -> None:
    """Print the settings with which a program on this machine connects, with the keys of an identity.

    The key of a gateway, uploader or person is drawn where there is none; docs/containers.md says how it takes effect.
    """
    own = folder / "own"
    identity = _identity(name)
    if read_keys(own) is None:
        raise StackError("there are no keys yet: `docker compose up` draws them")
    ensure_keys(own, [identity])
    keys = _write(folder, kafka_port)
    if keys.credentials[identity.name].revoked:
        raise StackError(f"{name} is revoked: `keys rotate {name}` gives it a new key")
    found = setting_files(keys, identity, own, cafile.parent)
    found.pop("ca.pem")
    if "UNCIA_KAFKA_CAFILE" in found:
        found["UNCIA_KAFKA_CAFILE"] = str(cafile)
        echo(assignment("UNCIA_KAFKA", f"127.0.0.1:{kafka_port}"))
    echo(assignment("UNCIA_S3_ENDPOINT", f"http://127.0.0.1:{s3_port}"))
    for variable, value in found.items():
        echo(assignment(variable, value.strip()))


@app.command()
def authority(folder: _Folder = _FOLDER) -> None:
    """Print the certificate of the authority that vouches for Kafka. It is no secret."""
    echo((folder / "own" / "keys" / "ca.pem").read_text(encoding="ascii").strip(), lines=True)


@app.command()
def rotate(name: _Name, folder: _Folder = _FOLDER, kafka_port: _KafkaPort = 9092) -> None:
    """Replace the secrets of an identity. They take effect as docs/containers.md says."""
    identity, known = _known(name, folder)
    write_credential(folder / "own", identity.name, known.rotated())
    _write(folder, kafka_port)


@app.command()
def revoke(name: _Name, folder: _Folder = _FOLDER, kafka_port: _KafkaPort = 9092) -> None:
    """Make the key of a gateway, uploader or person useless. It takes effect as docs/containers.md says."""
    identity, known = _known(name, folder)
    if identity in ALWAYS_DRAWN:
        raise StackError(f"{name} is a part of the system: `keys rotate {name}` makes its old key useless")
    write_credential(folder / "own", identity.name, known.revoke())
    _write(folder, kafka_port)


def _write(folder: Path, kafka_port: int) -> StackKeys:
    outside = Listener("0.0.0.0:9092", f"127.0.0.1:{kafka_port}")
    return write_container_files(folder, folder / "own", Addresses(kafka_outside=outside), read_settings())


def _known(name: str, folder: Path) -> tuple[Identity, Credential]:
    identity, keys = _identity(name), read_keys(folder / "own")
    if keys is None or identity.name not in keys.credentials:
        raise StackError(f"there is no key {name!r}")
    return identity, keys.credentials[identity.name]


def _identity(name: str) -> Identity:
    if (found := identity_named(name)) is None:
        raise StackError(f"no identity is named {name!r}: docs/keys.md lists them")
    return found


if __name__ == "__main__":
    run(app)
