"""NVIDIA Triton from the pytriton wheel, in its own Python environment."""

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from uncia.errors import SettingsError, StackError
from uncia.infra.local.layout import parts_dir
from uncia.infra.local.own_user import Confined, own_command, user_number
from uncia.infra.local.service import NotReady, Service
from uncia.infra.local.stack_identity import TRITON_SOCKET_PORT
from uncia.serving.model_card import pinned_version
from uncia.serving.model_versions import LIVE_FILE, read_version_state
from uncia.serving.triton_access import restriction_options
from uncia.settings import Settings

if TYPE_CHECKING:
    from uncia.serving.triton_client import ModelControl, ProbeResult

EXIT_TIMEOUT_S = 5

# The Python backend exchanges frames and scores with the models through shared memory. Other users of the machine
# cannot read it (`uncia.triton_models.serving.onnx_python_backend`), and do not even see it where the system allows
# Triton a /dev/shm of its own: as root, or in a user namespace. Each command replaces the process, so that signals
# reach Triton.
# `slave`: what is unmounted on the machine, such as an SD card, is unmounted there, too, and not kept busy.
_OWN_SHARED_MEMORY = """\
mount='mount -t tmpfs -o mode=0700,nosuid,nodev tmpfs /dev/shm'
for how in --mount '--user --map-root-user --mount'; do
    if unshare --propagation slave $how sh -c "$mount" 2>/dev/null; then
        exec unshare --propagation slave $how sh -c "$mount && exec \\"\\$@\\"" triton "$@"
    fi
done
exec "$@"
"""


class Triton(Service):
    """The inference server. Ready after a real inference, because Triton reports ready even with a dead model."""

    name: ClassVar[str] = "triton"
    stop_wait_s: ClassVar[int] = EXIT_TIMEOUT_S + 10

    def check_installed(self) -> None:
        """Check that the server, its packages and a model are installed."""
        if not (parts_dir() / "triton" / "complete.json").exists():
            raise StackError(f"Triton is not in {parts_dir()}: run `make setup` (python -m uncia.infra.local.install)")
        model = self.site.settings.model_repository / self.site.settings.model / "config.pbtxt"
        if not model.exists():
            raise StackError(f"there is no model at {model.parent}: run `make setup`, or `uncia models build`")

    def environment(self) -> dict[str, str]:
        """Library path of the wheel. The stub finds its Python packages through `python3` on PATH, see `before`."""
        venv, libraries = self.site.layout.parts / "triton" / "venv", self.site.layout.parts / "triton" / "lib"
        return {
            "LD_LIBRARY_PATH": f"{_site_packages(venv) / 'nvidia_pytriton.libs'}:{libraries}",
            # Serving must not write into the model's folder.
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def before(self) -> list[str]:
        """Put Triton's Python first on PATH, delete what an unclean exit left, and start the reader of its log.

        An unclean exit leaves shared memory and Triton's own folder. PYTHONPATH and PYTHONHOME are unset because they
        would direct the stub to other packages.
        """
        own = shlex.quote(str(self.site.identity.triton_dir))
        return [
            f'export PATH="{self.site.layout.parts}/triton/venv/bin:$PATH"',
            "unset PYTHONPATH PYTHONHOME",
            f"rm -rf /dev/shm/{self.site.identity.shm_prefix}* {own} && mkdir -m 700 {own} || exit 1",
            *self.read_log(),
        ]

    def command(self) -> list[str]:
        """The server, as a user of its own where the stack runs as root, else as the stack's user.

        A model is a program: as another user it cannot read the stack's keys.
        """
        server = self._server()
        as_stack = ["/bin/sh", "-c", _OWN_SHARED_MEMORY, "triton", *server]
        if os.geteuid() != 0 or not self.site.settings.triton_own_user:
            return as_stack
        layout, identity = self.site.layout, self.site.identity
        models = layout.link("models", self.site.settings.model_repository)
        confined = Confined(
            user=user_number(identity.stack_id),
            command=tuple(server),
            fallback=tuple(as_stack),
            own=str(identity.triton_dir),
            needs=(str(layout.parts), str(models), str(_python_prefix(layout.parts / "triton" / "venv"))),
            models=str(models),
            hidden=str(layout.keys),
        )
        return own_command(confined)

    def _server(self) -> list[str]:
        """The server on a socket with the stream's models loaded.

        The socket is in a folder that only its owner may enter, so no other user can send Triton anything. That is why
        the keys may be on the command line, which every user can read. Among the owner's own processes they separate
        those that need inference from those that may load models.
        """
        layout, keys, socket = self.site.layout, self.site.keys.internal, self.site.identity.triton_socket
        server = _site_packages(layout.parts / "triton" / "venv") / "pytriton" / "tritonserver"
        return [
            str(server / "bin" / "tritonserver"),
            f"--model-repository={layout.link('models', self.site.settings.model_repository)}",
            f"--backend-directory={layout.parts / 'triton' / 'backends'}",
            f"--backend-config=python,shm-region-prefix-name={self.site.identity.shm_prefix}",
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in stream_models(self.site.settings)),
            "--exit-on-error=false",
            "--strict-readiness=false",
            f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
            f"--grpc-address=unix://{str(socket).rpartition(':')[0]}",
            f"--grpc-port={TRITON_SOCKET_PORT}",
            *restriction_options("grpc-restricted-protocol", keys.triton_inference, keys.triton_control),
            *self._http_options(),
            "--allow-metrics=false",
            "--disable-auto-complete-config",
        ]

    def _http_options(self) -> list[str]:
        """HTTP is off unless a setting turns it on, for other programs on this machine."""
        if not self.site.settings.triton_serve_http:
            return ["--allow-http=false"]
        keys = self.site.keys.internal
        return [
            "--http-address=127.0.0.1",
            f"--http-port={self.port('triton_http')}",
            *restriction_options("http-restricted-api", keys.triton_inference, keys.triton_control),
        ]

    def probe(self) -> str:
        """Infer one frame with the live version of each model. The details name other loaded versions that fail."""
        self.require_listener(self.site.identity.triton_socket)
        # Imported here because gRPC and numpy take half a second, which `uncia down` should not wait for.
        from uncia.serving.triton_client import ModelControl

        settings = self.site.settings
        with ModelControl(settings) as control:
            details = [_probe_model(control, settings, model) for model in stream_models(settings)]
        http = [f"HTTP {self.at('triton_http')}"] if settings.triton_serve_http else []
        return ", ".join([*http, *details])


def stream_models(settings: Settings) -> tuple[str, ...]:
    """The models that the stream uses: the classifier; detector, audio classifier and embedder where the repository
    holds them.

    The audio classifier only where the worker `listen` runs, the embedder only where `identify` does.
    """
    further = [
        settings.detector,
        *([settings.sound_model] if settings.listen else []),
        *([settings.identify_embedder] if settings.identify_taxa else []),
    ]
    present = [model for model in further if model and (settings.model_repository / model / LIVE_FILE).exists()]
    return tuple(dict.fromkeys([settings.model, *present]))


def _probe_model(control: "ModelControl", settings: Settings, model: str) -> str:
    """A model's live version and the other versions that fail. Raises `NotReady` when the live one does."""
    live = control.probe(model)
    if not live.healthy:
        raise NotReady(live.detail)
    others = {
        version: probe_other_version(control, settings, version, model)
        for version in other_served_versions(settings, model)
    }
    failing = [f"; version {version}: {probe.health.value}" for version, probe in others.items() if not probe.healthy]
    return f"{model} version {live.version}{''.join(failing)}"


def other_served_versions(settings: Settings, model: str = "") -> tuple[str, ...]:
    """The versions of a model that Triton serves in addition to the one that the stream uses: the previous, a shadow.

    Without a model, that of the settings. Empty when they cannot be read; the probe of the live version reports that
    error.
    """
    model = model or settings.model
    try:
        state = read_version_state(settings.model_repository / model)
    except SettingsError:
        return ()
    live = pinned_version(settings, model) or state.live
    return tuple(version for version in state.served if version != live)


def probe_other_version(control: "ModelControl", settings: Settings, version: str, model: str = "") -> "ProbeResult":
    """Probe a version other than the live one. A damaged or missing folder makes this version `FAILING`, no other."""
    from uncia.serving.triton_client import ModelHealth, ProbeResult

    try:
        return control.probe(model or settings.model, version)
    except SettingsError as error:
        return ProbeResult(ModelHealth.FAILING, str(error))


def _site_packages(venv: Path) -> Path:
    version = json.loads((parts_dir() / "triton" / "complete.json").read_text(encoding="utf-8"))["python"]
    return venv / "lib" / f"python{version}" / "site-packages"


def _python_prefix(venv: Path) -> Path:
    """The installation of Python that Triton's environment was made with, which may be in a closed folder."""
    lines = (parts_dir() / "triton" / venv.name / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    values = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return Path(values["home"]).parent
