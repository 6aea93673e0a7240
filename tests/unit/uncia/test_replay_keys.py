"""The keys of the workers of replays and shadows come from the class that a setting names."""

from collections.abc import Mapping

import pytest

from uncia.errors import SettingsError
from uncia.replay_keys import issue_keys, revoke_keys
from uncia.settings import Settings


class Recorder:
    """Issues keys that name the replay."""

    revoked: list[str] = []  # noqa: RUF012

    def issue(self, name: str, live: Settings) -> Mapping[str, str]:
        return {"UNCIA_KAFKA_USERNAME": name, "UNCIA_KAFKA": live.kafka}

    def revoke(self, name: str) -> None:
        self.revoked.append(name)


def settings(issuer: str | None) -> Settings:
    return Settings(_env_file=None, replay_key_issuer=issuer)


def test_where_nothing_issues_keys_the_workers_have_those_of_the_command() -> None:
    assert issue_keys("replay-june", settings(None)) == {}
    revoke_keys("replay-june", settings(None))


def test_the_class_of_the_setting_issues_and_revokes_them() -> None:
    live = settings(f"{__name__}:Recorder")
    assert issue_keys("replay-june", live) == {"UNCIA_KAFKA_USERNAME": "replay-june", "UNCIA_KAFKA": live.kafka}
    revoke_keys("replay-june", live)
    assert Recorder.revoked == ["replay-june"]


@pytest.mark.parametrize("path", ["nowhere:Class", f"{__name__}:Missing", "not a path", f"{__name__}:settings"])
def test_a_setting_that_names_no_class_is_refused_with_its_value(path: str) -> None:
    with pytest.raises(SettingsError, match="UNCIA_REPLAY_KEY_ISSUER="):
        issue_keys("replay-june", settings(path))
