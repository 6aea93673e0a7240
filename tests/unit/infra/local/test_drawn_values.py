"""What a stack draws once and keeps."""

import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values

from uncia.errors import StackError
from uncia.infra.local.stack_identity import PORTS, draw, draw_ports, read_drawn


def everything_free(port: int) -> bool:
    return True


def test_ports_are_all_different_and_below_the_range_of_outgoing_connections() -> None:
    ports = draw_ports({}, everything_free)
    assert set(ports) == set(PORTS)
    assert len(set(ports.values())) == len(PORTS)
    assert max(ports.values()) < 32_768


def test_a_remembered_port_is_kept_while_it_is_free() -> None:
    first = draw_ports({}, everything_free)
    assert draw_ports(first, everything_free) == first


def test_only_the_port_that_was_taken_is_drawn_anew() -> None:
    first = draw_ports({}, everything_free)
    second = draw_ports(first, lambda port: port != first["kafka"])
    assert {name for name in PORTS if second[name] != first[name]} == {"kafka"}


def test_the_store_worker_finds_the_admin_server_ten_thousand_above_its_port() -> None:
    refused: list[int] = []

    def free(port: int) -> bool:
        refused.append(port)
        return len(refused) > 1

    admin = draw_ports({}, free)["seaweedfs_admin"]
    assert {admin, admin + 10_000} <= set(refused)


def test_no_free_port_is_said_in_words() -> None:
    with pytest.raises(StackError, match="no free port"):
        draw_ports({}, lambda port: False)


def test_credentials_and_ports_survive_a_second_start(tmp_path: Path) -> None:
    first = draw(tmp_path, tmp_path / "short")
    second = draw(tmp_path, tmp_path / "short")
    assert second == first == read_drawn(tmp_path)


def test_two_stacks_share_no_credentials(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = draw(tmp_path / "a", tmp_path), draw(tmp_path / "b", tmp_path)
    assert {one.stack_id, one.access_key, one.secret_key}.isdisjoint(
        {other.stack_id, other.access_key, other.secret_key}
    )


def test_files_with_secrets_are_for_the_owner_alone(tmp_path: Path) -> None:
    draw(tmp_path, tmp_path)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("stack.env", "state.json")}
    assert modes == {0o600}


def test_a_line_that_somebody_added_to_the_settings_stays(tmp_path: Path) -> None:
    draw(tmp_path, tmp_path)
    with (tmp_path / "stack.env").open("a", encoding="utf-8") as file:
        file.write("UNCIA_FOCUS_TAXA=Ursus arctos\n")
    drawn = draw(tmp_path, tmp_path)
    kept = dotenv_values(tmp_path / "stack.env")
    assert kept["UNCIA_FOCUS_TAXA"] == "Ursus arctos"
    assert kept["UNCIA_S3_SECRET_KEY"] == drawn.secret_key


def test_a_damaged_state_is_named_with_the_way_out(tmp_path: Path) -> None:
    draw(tmp_path, tmp_path)
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(StackError, match=r"state\.json .* is damaged .* remove the folder"):
        read_drawn(tmp_path)


def test_a_folder_without_a_stack_has_drawn_nothing(tmp_path: Path) -> None:
    assert read_drawn(tmp_path) is None
