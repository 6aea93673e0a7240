"""The application on a real port, for what a test client in the same process cannot do: endless streams."""

import threading

import uvicorn

from uncia.dashboard.web.app import create_app
from uncia.dashboard.web.services import Services


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
