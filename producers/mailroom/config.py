"""The configuration of one mailroom."""

from dataclasses import dataclass
from pathlib import Path

from uncia.errors import SettingsError
from uncia.settings import Settings

__all__ = ["MailroomConfig"]


@dataclass(frozen=True)
class MailroomConfig:
    """Where the mailroom listens, and its limits. Sizes in bytes, times in seconds."""

    root: Path
    host: str
    ftp_port: int | None
    """None: no FTP server. 0: any free port, for tests."""
    smtp_port: int | None
    """None: no SMTP server. 0: any free port, for tests."""
    lmtp_port: int | None
    """None: no LMTP server. 0: any free port, for tests."""
    passive_ports: range
    public_address: str | None
    plain_ftp: bool
    plain_smtp: bool
    certfile: Path | None
    keyfile: Path | None
    max_size: int
    connections: int
    idle_s: float
    hold_s: float
    fetch_s: float
    profiles: Path | None = None
    """Folder with camera profiles of the user."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "MailroomConfig":
        """The configuration that the settings describe. Raises `SettingsError`."""
        first, _, last = settings.mailroom_ftp_passive_ports.partition("-")
        ports = range(int(first), int(last) + 1)
        if not ports or ports[0] < 1024 or ports[-1] > 65535:
            raise SettingsError("UNCIA_MAILROOM_FTP_PASSIVE_PORTS: use a range such as 50000-50100, within 1024-65535")
        return cls(
            root=mailroom_folder(settings),
            host=settings.mailroom_host,
            ftp_port=settings.mailroom_ftp_port or None,
            smtp_port=settings.mailroom_smtp_port or None,
            lmtp_port=settings.mailroom_lmtp_port or None,
            passive_ports=ports,
            public_address=settings.mailroom_public_address,
            plain_ftp=settings.mailroom_plain_ftp,
            plain_smtp=settings.mailroom_plain_smtp,
            certfile=settings.mailroom_certfile,
            keyfile=settings.mailroom_keyfile,
            max_size=settings.mailroom_max_mb << 20,
            connections=settings.mailroom_connections,
            idle_s=settings.mailroom_idle_s,
            hold_s=settings.mailroom_hold_s,
            fetch_s=settings.mailroom_fetch_s,
            profiles=settings.mailroom_profiles,
        )


def mailroom_folder(settings: Settings) -> Path:
    """The folder of the mailroom: that of the setting, else one in the user's state folder."""
    state = Path.home() / ".local" / "state" / "uncia" / "mailroom"
    # Resolved: pyftpdlib compares real paths with this one.
    return (settings.mailroom_dir or state).expanduser().resolve()
