"""From what stands after `--on` to a transport."""

from pathlib import Path

from uncia.training.remote.errors import RemoteError
from uncia.training.remote.transports.container import ContainerTransport
from uncia.training.remote.transports.kubernetes import KubernetesTransport
from uncia.training.remote.transports.ssh import SshTransport
from uncia.training.remote.transports.transport import Transport

__all__ = ["open_transport"]


def open_transport(target: str, run: str, ssh_config: Path | None = None) -> Transport:
    """The transport of a target for a run. Nothing is started yet. Raises `RemoteError`."""
    kind = target.partition("://")[0]
    if kind == "ssh" and "://" in target:
        return SshTransport.parse(target, ssh_config)
    if kind == "container":
        return ContainerTransport.parse(target, run)
    if kind == "kubernetes":
        return KubernetesTransport.parse(target, run)
    raise RemoteError(f"--on {target}: use ssh://user@host[:port], container or kubernetes")
