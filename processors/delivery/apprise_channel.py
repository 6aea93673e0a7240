"""Apprise: Telegram, Signal, Slack, SMS and some hundred other services, by one URL of a secret file."""

from typing import Any

from uncia.events import AlertState, Severity
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.failures import SendFailed
from uncia.processors.delivery.message import AlertMessage
from uncia.processors.delivery.secret_file import read_secret

__all__ = ["AppriseSender"]


class AppriseSender:
    """Sends by one service. Apprise says only whether it worked, so that every failure is tried again."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, message: AlertMessage, remote_id: str | None, reached: bool) -> str | None:
        """Deliver a message; returns None. Raises `SendFailed`."""
        url = read_secret(self._channel)
        if len(url.split()) != 1:
            # With two, a failure of the one would repeat the message of the other.
            problem = f"{self._channel.secret_file} must contain one URL: use one channel for each"
            raise SendFailed(problem, may_have_arrived=False, needs_operator=True)
        sender = self._service(url)
        if not sender.notify(title=message.title, body=message.text(), notify_type=_kind(message)):
            raise SendFailed("the service did not accept the message, or did not answer", may_have_arrived=True)
        return None

    def _service(self, url: str) -> Any:
        # Here, so that other channels do not wait for its hundred modules.
        import apprise

        limit = max(1.0, self._channel.timeout_s / 2)
        # Its limits of connecting and reading. Nothing but this URL is loaded: no plugins, no configuration files.
        limited = f"{url}{'&' if '?' in url else '?'}cto={limit:.1f}&rto={limit:.1f}"
        service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Uncia", app_desc="Uncia", secure_logging=True))
        if not service.add(limited):
            problem = f"{self._channel.secret_file} has no URL that Apprise knows"
            raise SendFailed(problem, may_have_arrived=False, needs_operator=True)
        return service


def _kind(message: AlertMessage) -> str:
    if message.state is AlertState.WITHDRAWN:
        return "info"
    return {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}[message.severity]
