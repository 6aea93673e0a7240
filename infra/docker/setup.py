"""Prepares Kafka and the object store for the other containers: `python -m uncia.infra.docker.setup topics | buckets`.

`topics` gives the broker its users and access rules, which follow from the topology, and creates the topics; `buckets`
creates the buckets, and switches versions of the upload bucket on. Both change nothing that exists as it should, and
sign in as administrators.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from uncia.errors import StackError
from uncia.infra.docker.command_line import run
from uncia.infra.local.credentials import read_keys
from uncia.infra.local.kafka_access import grant_access
from uncia.kafka.broker import create_topics
from uncia.settings import read_settings
from uncia.storage.object_store import ObjectStore
from uncia.terminal import echo

app = typer.Typer(help="Prepare Kafka and the object store.", no_args_is_help=True, add_completion=False)


@app.command()
def topics(own: Annotated[Path, typer.Option(help="Folder with all keys.")] = Path("/keys/own")) -> None:
    """Give the broker its users and access rules, and create the missing topics, with an administrator's settings."""
    settings, keys = read_settings(), read_keys(own)
    if keys is None:
        raise StackError(f"there are no keys in {own}: the service `keys` draws them")
    with tempfile.TemporaryDirectory() as folder:
        # What was written last is not remembered: the broker's volume may be new although the keys are not.
        grant_access(settings, keys.credentials, Path(folder) / "access")
    created = create_topics(settings)
    echo(f"users and access rules are written; {sum(created.values())} of {len(created)} topics were created")


@app.command()
def buckets() -> None:
    """Create the missing buckets, and keep versions of the upload bucket, with the store's administrative key."""
    settings = read_settings()
    store = ObjectStore(settings)
    try:
        for bucket in (settings.bucket, *settings.own_buckets):
            store.ensure_bucket(bucket)
        if settings.keep_versions:
            store.keep_versions(settings.bucket, on=True)
        next(store.list(settings.bucket), None)
    finally:
        store.close()
    echo(f"the buckets {', '.join((settings.bucket, *settings.own_buckets))} exist")


if __name__ == "__main__":
    run(app)
