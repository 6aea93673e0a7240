"""The application on a real port, for what a test client in the same process cannot do: endless streams."""

import os
import threading
from pathlib import Path

import uvicorn

from uncia.dashboard.web.app import create_app
from uncia.dashboard.web.services import Services
from uncia.settings import Settings


def environment_of(config: Settings, port: int = 0) -> dict[str, str]:
    """The environment in which `uncia dashboard` runs with these settings, as a process of its own."""
    folder = Path(str(config.dashboard_dir))
    return {
        **os.environ,
        "UNCIA_DASHBOARD_DIR": str(folder),
        "UNCIA_DASHBOARD_PORT": str(port),
        "UNCIA_CATALOGUE_URL": config.catalogue_url.get_secret_value() if config.catalogue_url else "",
        "UNCIA_READY_FILE": str(folder / "ready"),
        "UNCIA_S3_ENDPOINT": "http://127.0.0.1:9",
        "UNCIA_S3_ACCESS_KEY": "key",
        "UNCIA_S3_SECRET_KEY": "secret",
        "UNCIA_STACK_DIR": str(folder),
    }


class RunningServer:
    """Serves from a thread; may be stopped and started again on its port."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        config = uvicorn.Config(
            create_app(self._services), port=self.port, log_config=None, timeout_graceful_shutdown=1, loop="asyncio"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        for _ in range(600):
            if self._server.started:
                break
            self._thread.join(0.05)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
