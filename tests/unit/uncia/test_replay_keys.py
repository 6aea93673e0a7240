"""The keys of a replay's workers come from the class that a setting names."""

from collections.abc import Mapping

import pytest

from uncia.errors import SettingsError
from uncia.replay_keys import issue_keys, revoke_keys
from uncia.settings import Settings


class Recorder:
    """Issues keys that name the replay."""

    revoked: list[str] = []  # noqa: RUF012

    def issue(self, replay: str, live: Settings) -> Mapping[str, str]:
        return {"UNCIA_KAFKA_USERNAME": f"replay-{replay}", "UNCIA_KAFKA": live.kafka}

    def revoke(self, replay: str) -> None:
        self.revoked.append(replay)


def settings(issuer: str | None) -> Settings:
    return Settings(_env_file=None, replay_key_issuer=issuer)


def test_where_nothing_issues_keys_the_workers_have_those_of_the_command() -> None:
    assert issue_keys("june", settings(None)) == {}
    revoke_keys("june", settings(None))


def test_the_class_of_the_setting_issues_and_revokes_them() -> None:
    live = settings(f"{__name__}:Recorder")
    assert issue_keys("june", live) == {"UNCIA_KAFKA_USERNAME": "replay-june", "UNCIA_KAFKA": live.kafka}
    revoke_keys("june", live)
    assert Recorder.revoked == ["june"]


@pytest.mark.parametrize("path", ["nowhere:Class", f"{__name__}:Missing", "not a path", f"{__name__}:settings"])
def test_a_setting_that_names_no_class_is_refused_with_its_value(path: str) -> None:
    with pytest.raises(SettingsError, match="UNCIA_REPLAY_KEY_ISSUER="):
        issue_keys("june", settings(path))
