"""NVIDIA Triton from the pytriton wheel, in a Python environment of its own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from uncia.errors import SettingsError, StackError
from uncia.infra.local.layout import parts_dir
from uncia.infra.local.service import NotReady, Service
from uncia.serving.model_versions import read_version_state
from uncia.settings import Settings

if TYPE_CHECKING:
    from uncia.serving.triton_client import ModelControl, ProbeResult

EXIT_TIMEOUT_S = 5


class Triton(Service):
    """Ready when the model has answered a real inference: Triton's own readiness survives a dead model."""

    name: ClassVar[str] = "triton"
    stop_wait_s: ClassVar[int] = EXIT_TIMEOUT_S + 10

    def check_installed(self) -> None:
        """The server, its packages, and a model to serve."""
        if not (parts_dir() / "triton" / "complete.json").exists():
            raise StackError(f"Triton is not in {parts_dir()}: run `make setup` (python -m uncia.infra.local.install)")
        model = self.site.settings.model_repository / self.site.settings.model / "config.pbtxt"
        if not model.exists():
            raise StackError(f"there is no model at {model.parent}: run `make setup`, or `uncia models build`")

    def environment(self) -> dict[str, str]:
        """Triton's stub finds its packages through the `python3` on PATH; PYTHONPATH and PYTHONHOME mislead it."""
        venv, libraries = self.site.layout.parts / "triton" / "venv", self.site.layout.parts / "triton" / "lib"
        return {
            "LD_LIBRARY_PATH": f"{_site_packages(venv) / 'nvidia_pytriton.libs'}:{libraries}",
            # Serving a model leaves nothing in its folder.
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def before(self) -> list[str]:
        """PATH is the caller's, with our own Python in front; shared memory of an unclean end is swept."""
        return [
            f'export PATH="{self.site.layout.parts}/triton/venv/bin:$PATH"',
            "unset PYTHONPATH PYTHONHOME",
            f"rm -f /dev/shm/{self.site.drawn.shm_prefix}*",
        ]

    def command(self) -> list[str]:
        """The server on loopback, with the one model loaded."""
        layout = self.site.layout
        server = _site_packages(layout.parts / "triton" / "venv") / "pytriton" / "tritonserver"
        return [
            str(server / "bin" / "tritonserver"),
            f"--model-repository={layout.link('models', self.site.settings.model_repository)}",
            f"--backend-directory={layout.parts / 'triton' / 'backends'}",
            f"--backend-config=python,shm-region-prefix-name={self.site.drawn.shm_prefix}",
            "--model-control-mode=explicit",
            f"--load-model={self.site.settings.model}",
            "--exit-on-error=false",
            "--strict-readiness=false",
            f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
            "--http-address=127.0.0.1",
            f"--http-port={self.port('triton_http')}",
            "--grpc-address=127.0.0.1",
            f"--grpc-port={self.port('triton_grpc')}",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={self.port('triton_metrics')}",
            "--allow-gpu-metrics=false",
            "--disable-auto-complete-config",
        ]

    def probe(self) -> str:
        """A real inference; of a version besides the live one that answers nothing right, the answer says so."""
        self.must_listen("triton_grpc")
        # Here, because gRPC and numpy take half a second to import, which `uncia down` need not wait for.
        from uncia.serving.triton_client import ModelControl

        settings, model = self.site.settings, self.site.settings.model
        with ModelControl(settings) as control:
            answer = control.probe(model)
            if not answer.healthy:
                raise NotReady(answer.detail)
            others = {version: probe_besides(control, settings, version) for version in served_besides(settings)}
        ill = [f"; version {version}: {probe.health.value}" for version, probe in others.items() if not probe.healthy]
        return f"{self.at('triton_grpc')}, {model} version {answer.version}{''.join(ill)}"


def served_besides(settings: Settings) -> tuple[str, ...]:
    """The versions that Triton is to serve besides the one that the stream asks: the previous one, a shadow's.

    None where nothing can be read of them: that is for whoever asks the live one to tell.
    """
    try:
        standing = read_version_state(settings.model_repository / settings.model)
    except SettingsError:
        return ()
    asked = settings.model_version or standing.live
    return tuple(version for version in standing.served if version != asked)


def probe_besides(control: "ModelControl", settings: Settings, version: str) -> "ProbeResult":
    """Ask a version besides the live one. One whose folder is damaged or gone is ill, and nobody else is."""
    from uncia.serving.triton_client import ModelHealth, ProbeResult

    try:
        return control.probe(settings.model, version)
    except SettingsError as error:
        return ProbeResult(ModelHealth.FAILING, str(error))


def _site_packages(venv: Path) -> Path:
    version = json.loads((parts_dir() / "triton" / "complete.json").read_text(encoding="utf-8"))["python"]
    return venv / "lib" / f"python{version}" / "site-packages"
