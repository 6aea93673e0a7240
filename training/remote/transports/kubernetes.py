"""A Job on a Kubernetes cluster, by `kubectl` and the context that it is set up for."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from uncia.training.remote.errors import LinkBroken, RemoteError
from uncia.training.remote.transports.container import DEFAULT_IMAGE
from uncia.training.remote.transports.transport import run_client, tail

__all__ = ["KubernetesTransport"]

_CLAIM = "uncia-training"
_ROOT = "/var/lib/uncia-training"
_STORAGE = "50Gi"
_GPU = "nvidia.com/gpu"
_READY_LIMIT_S = 300
_POD_ATTEMPTS = 15
_POD_POLL_S = 2.0
_NO_KUBECTL = "kubectl is not installed here: --on kubernetes needs it, with a context of your cluster"

# Ends the pod as soon as it is told to; a shell as the first process ignores SIGTERM otherwise.
_WAIT = "trap 'exit 0' TERM; while :; do sleep 5 & wait $!; done"


@dataclass
class KubernetesTransport:
    """A Job per run with one pod, which waits for commands; what is to outlive it is on a persistent volume claim."""

    target: str
    run: str
    namespace: str = ""
    root: str = _ROOT
    _pod: str = field(default="", init=False)

    @classmethod
    def parse(cls, target: str, run: str) -> "KubernetesTransport":
        """From `kubernetes` or `kubernetes://namespace`."""
        return cls(target, run, target.partition("://")[2])

    @property
    def name(self) -> str:
        """The Job's name."""
        return f"uncia-training-{self.run}"

    def open(self) -> None:
        """Create the claim and the Job where they are missing, and wait until a pod is ready."""
        if self._kubectl("get", "job", self.name, "--output", "name").returncode != 0:
            resources = json.dumps({"apiVersion": "v1", "kind": "List", "items": self.resources(self._has_gpus())})
            self._checked("apply", "--filename", "-", stdin=resources)
        self._wait_for_pod()
        pods = json.loads(self._checked("get", "pod", "--selector", f"job-name={self.name}", "--output", "json"))
        running = [pod["metadata"]["name"] for pod in pods["items"] if pod["status"].get("phase") == "Running"]
        if not running:
            raise LinkBroken(f"the Job {self.name} has no pod that runs")
        self._pod = running[-1]

    def _wait_for_pod(self) -> None:
        """Wait until the pod is ready. `kubectl wait` fails at once where the Job has not created it yet."""
        condition = ["--for=condition=Ready", f"--timeout={_READY_LIMIT_S}s", "--selector", f"job-name={self.name}"]
        for _ in range(_POD_ATTEMPTS):
            done = self._kubectl("wait", "pod", *condition)
            if done.returncode == 0:
                return
            if "no matching resources" not in done.stderr:
                break
            time.sleep(_POD_POLL_S)
        raise LinkBroken(f"the pod of the Job {self.name} is not ready: {tail(done.stderr)}")

    def resources(self, gpu: bool) -> list[dict[str, Any]]:
        """The claim and the Job."""
        labels = {"app.kubernetes.io/name": "uncia-training", "app.kubernetes.io/managed-by": "uncia"}
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": _CLAIM, "labels": labels},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": _STORAGE}}},
        }
        container: dict[str, Any] = {
            "name": "training",
            "image": DEFAULT_IMAGE,
            "command": ["sh", "-c", _WAIT],
            "env": [{"name": "HOME", "value": _ROOT}],
            "resources": {"requests": {"cpu": "1", "memory": "4Gi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "training", "mountPath": _ROOT}, {"name": "shm", "mountPath": "/dev/shm"}],
        }
        if gpu:
            container["resources"]["limits"] = {_GPU: 1}
        pod = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [
                {"name": "training", "persistentVolumeClaim": {"claimName": _CLAIM}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
            ],
        }
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": self.name, "labels": labels},
            # A pod that was evicted is replaced; the run then continues from its checkpoint on the volume.
            "spec": {"backoffLimit": 6, "template": {"metadata": {"labels": labels}, "spec": pod}},
        }
        return [claim, job]

    def _has_gpus(self) -> bool:
        """Whether a node offers GPUs; False where the nodes may not be listed."""
        done = self._kubectl("get", "nodes", "--output", "json")
        if done.returncode != 0:
            return False
        nodes = json.loads(done.stdout)["items"]
        return any(int(node["status"].get("allocatable", {}).get(_GPU, "0")) > 0 for node in nodes)

    def _arguments(self, *arguments: str) -> list[str]:
        return ["kubectl", *(["--namespace", self.namespace] if self.namespace else []), *arguments]

    def _kubectl(self, *arguments: str, stdin: str = "") -> Any:
        return run_client(self._arguments(*arguments), _NO_KUBECTL, stdin=stdin)

    def _checked(self, *arguments: str, stdin: str = "") -> str:
        done = self._kubectl(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise self.explain(done.returncode, done.stderr)
        return str(done.stdout)

    def command(self, argv: Sequence[str]) -> list[str]:
        """`exec` in the pod with standard input."""
        return self._arguments("exec", "--stdin", self._pod, "--container", "training", "--", *argv)

    def explain(self, status: int, stderr: str) -> RemoteError:
        """From what kubectl writes."""
        text = tail(stderr)
        if "forbidden" in stderr.lower():
            return RemoteError(f"the cluster does not allow this: {text}")
        if "current-context is not set" in stderr or "Missing or incomplete configuration" in stderr:
            return RemoteError(f"kubectl has no cluster: choose one with `kubectl config use-context`. It said: {text}")
        if 'namespaces "' in stderr and "not found" in stderr:
            return RemoteError(f"there is no namespace {self.namespace}: {text}")
        return LinkBroken(f"the cluster gave no answer (status {status}): {text}")

    def release(self) -> None:
        """Delete the Job and its pod; the claim stays."""
        self._kubectl("delete", "job", self.name, "--ignore-not-found", "--wait=false")
