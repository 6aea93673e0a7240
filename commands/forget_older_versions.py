"""`uncia forget --older-versions`: delete what was replaced or deleted some time ago."""

import getpass
from datetime import UTC, datetime, timedelta

from uncia.audit import AuditLog, audit_file_of_process
from uncia.producers.forget.older_versions import OlderVersions
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.terminal import echo, echo_json

__all__ = ["remove_older_versions"]


def remove_older_versions(config: Settings, store: ObjectStore, days: int, *, yes: bool, as_json: bool) -> None:
    """Count the versions that were replaced or deleted at least `days` days ago; delete them, with `yes`.

    `store` has the administrative key. Raises `AccessRefused` and `DependencyDown`.
    """
    older = OlderVersions(store, config.bucket, datetime.now(UTC) - timedelta(days=days))
    if yes:
        count, size = older.remove()
        AuditLog(audit_file_of_process(config.data_dir)).record(
            "older_versions_removed", getpass.getuser(), f"replaced {days} days ago", versions=count, bytes=size
        )
    else:
        sizes = [found.object.size for found in older.find()]
        count, size = len(sizes), sum(sizes)
    if as_json:
        echo_json({"older_versions": count, "bytes": size, "removed": yes})
        return
    done = "deleted" if yes else "would be deleted"
    echo(f"{count} versions of {size / 1e6:.1f} MB that were replaced or deleted at least {days} days ago {done}")
    if not yes:
        echo("nothing was removed: add --yes to carry it out")
