"""Connects the dashboard's page of alert rules with the file of `UNCIA_ALERT_RULES`, as `uncia alerts` reads it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.web.operations import CheckedRules, PastAlert, RuleMistake, RulePreview, RuleText
from uncia.errors import UnciaError
from uncia.ids import digest
from uncia.settings import Settings
from uncia.storage.durable import write_durably

__all__ = ["FileAlertRules"]

_MOST_BYTES = 100_000
"""A larger file is not for a text area."""
_VERSIONS = 5
"""Earlier versions that are kept beside the file, as `<file>.1` (the last one) to `<file>.5`."""
_SHOWN = 200
_PREVIEW_S = 30.0


class FileAlertRules:
    """The file of rules. Thread-safe; methods raise `UnciaError`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._saving = threading.Lock()
        self._previewing = threading.Lock()

    def read(self) -> RuleText:
        """The text of the file."""
        path = self._path()
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return RuleText(str(path), "", _fingerprint(b""))
        except OSError as error:
            raise UnciaError(f"the alert rules {path} cannot be read: {error.strerror}") from error
        if len(data) > _MOST_BYTES:
            raise UnciaError(f"the alert rules {path} have more than {_MOST_BYTES // 1000} kB: edit the file itself")
        try:
            return RuleText(str(path), data.decode("utf-8-sig"), _fingerprint(data))
        except UnicodeDecodeError as error:
            raise UnciaError(f"the alert rules {path} are not UTF-8: edit the file itself") from error

    def check(self, text: str) -> CheckedRules:
        """The mistakes of a text, and what is probably not meant, as `uncia alerts check` names them."""
        from uncia.processors.alerts.rule_file import parse_rules
        from uncia.processors.yaml_positions import FileMistakes

        if not text.strip():
            # The worker keeps the rules that it has: an editor leaves an empty file before it writes.
            return CheckedRules(
                0, (RuleMistake(1, 1, "the text is empty: to remove all rules, write `rules: []`"),), ()
            )
        try:
            found = parse_rules(text, str(self._path()), self._taxonomy())
        except FileMistakes as error:
            return CheckedRules(0, _mistakes(error.mistakes), ())
        return CheckedRules(len(found.rules), (), _mistakes(found.warnings))

    def preview(self, text: str, days: int) -> RulePreview:
        """The alerts that the rules of a text would have raised in so many past days. One preview at a time, which
        ends after half a minute."""
        from uncia.commands.past_alerts import alerts_of_past
        from uncia.processors.alerts.rule_file import parse_rules
        from uncia.processors.alerts.rule_index import RuleIndex

        taxonomy = self._taxonomy()
        rules = parse_rules(text, str(self._path()), taxonomy).rules
        since = datetime.now(UTC) - timedelta(days=days)
        with self._one_at_a_time() as stop:
            found = alerts_of_past(RuleIndex(rules, taxonomy), since, self._settings, stop)
            if stop.is_set():
                raise UnciaError(
                    f"the preview was not complete after {_PREVIEW_S:.0f} s: use `uncia alerts test FILE`, which takes "
                    "as long as it needs"
                )
        counts = {rule.name: 0 for rule in rules}
        for alert in found:
            counts[alert.rule] += 1
        newest = [
            PastAlert(
                rule=alert.rule,
                station=alert.station,
                camera=alert.camera,
                summary=alert.summary,
                raised_at=alert.raised_at,
                burst_id=next((burst.burst_id for burst in alert.bursts), None),
            )
            for alert in reversed(found[-_SHOWN:])
        ]
        return RulePreview(days, counts, newest, len(found))

    def save(self, text: str, fingerprint: str) -> str:
        """Replace the file, and keep its last versions beside it; refused where it is no longer the one of the
        fingerprint, or where the text has a mistake. Returns the fingerprint of the new one."""
        path = self._path()
        with self._saving:
            before = self.read()
            if before.fingerprint != fingerprint:
                raise UnciaError("the file has changed since the page was shown: your text was not saved")
            if self.check(text).mistakes:
                raise UnciaError("the text has a mistake: it was not saved")
            try:
                if before.text:
                    _keep(path, before.text)
                write_durably(path, text, mode=path.stat().st_mode & 0o777 if path.exists() else 0o640)
            except OSError as error:
                raise UnciaError(
                    f"the file {path} cannot be written ({error.strerror}): it may be mounted read-only, as in a "
                    "container; change it where it is kept"
                ) from error
        return _fingerprint(text.encode())

    def _path(self) -> Path:
        if self._settings.alert_rules is None:
            raise UnciaError("there is no file of alert rules: set UNCIA_ALERT_RULES (docs/alerts.md)")
        # Not the link to a file in a repository, but that file is replaced.
        return self._settings.alert_rules.resolve()

    def _taxonomy(self) -> Taxonomy:
        return Taxonomy.load(self._settings.taxonomy_file)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[threading.Event]:
        if not self._previewing.acquire(blocking=False):
            raise UnciaError("another preview is running: try again in half a minute")
        stop = threading.Event()
        timer = threading.Timer(_PREVIEW_S, stop.set)
        timer.daemon = True
        timer.start()
        try:
            yield stop
        finally:
            timer.cancel()
            self._previewing.release()


def _keep(path: Path, text: str) -> None:
    """Move the kept versions on by one, and keep this one as the last, unless it is already, as after a failed save."""
    last, fresh = path.with_name(f"{path.name}.1"), path.with_name(f"{path.name}.0")
    if last.exists() and last.read_text(encoding="utf-8") == text:
        return
    # First: where the disk is full, no earlier version is lost.
    write_durably(fresh, text, mode=0o640)
    for number in range(_VERSIONS, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    fresh.replace(last)


def _mistakes(found: Sequence[object]) -> tuple[RuleMistake, ...]:
    return tuple(RuleMistake(one.line, one.column, one.text) for one in found)  # type: ignore[attr-defined]


def _fingerprint(data: bytes) -> str:
    return digest(data)
