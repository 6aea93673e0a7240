"""A stack's id and ports are generated once and then kept."""

import stat
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values

from uncia.errors import StackError
from uncia.infra.local.stack_identity import PORTS, assign_ports, ensure_identity, read_identity, write_environment


def everything_free(port: int) -> bool:
    return True


def test_ports_are_distinct_and_below_the_ephemeral_range() -> None:
    ports = assign_ports({}, everything_free)
    assert set(ports) == set(PORTS)
    assert len(set(ports.values())) == len(PORTS)
    assert max(ports.values()) < 32_768


def test_a_port_that_is_still_free_is_kept() -> None:
    first = assign_ports({}, everything_free)
    assert assign_ports(first, everything_free) == first


def test_only_a_port_that_is_taken_is_replaced() -> None:
    first = assign_ports({}, everything_free)
    second = assign_ports(first, lambda port: port != first["kafka"])
    assert {name for name in PORTS if second[name] != first[name]} == {"kafka"}


def test_the_port_ten_thousand_above_the_admin_port_is_free_too() -> None:
    refused: list[int] = []

    def free(port: int) -> bool:
        refused.append(port)
        return len(refused) > 1

    admin = assign_ports({}, free)["seaweedfs_admin"]
    assert {admin, admin + 10_000} <= set(refused)


def test_all_ports_of_a_stack_include_the_one_at_a_distance(tmp_path: Path) -> None:
    identity = ensure_identity(tmp_path, tmp_path / "short")
    assert set(identity.all_ports.values()) == {*identity.ports.values(), identity.ports["seaweedfs_admin"] + 10_000}


def test_without_a_free_port_an_error_is_raised() -> None:
    with pytest.raises(StackError, match="no free port"):
        assign_ports({}, lambda port: False)


def test_id_and_ports_survive_a_second_start(tmp_path: Path) -> None:
    first = ensure_identity(tmp_path, tmp_path / "short")
    second = ensure_identity(tmp_path, tmp_path / "short")
    assert second == first == read_identity(tmp_path)


def test_two_stacks_have_different_ids(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = ensure_identity(tmp_path / "a", tmp_path), ensure_identity(tmp_path / "b", tmp_path)
    assert one.stack_id != other.stack_id


def test_its_files_are_readable_by_the_owner_only(tmp_path: Path) -> None:
    ensure_identity(tmp_path, tmp_path)
    write_environment(tmp_path, {"UNCIA_S3_SECRET_KEY": "secret"})
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("stack.env", "state.json")}
    assert modes == {0o600}


def test_a_line_that_a_user_added_is_kept(tmp_path: Path) -> None:
    write_environment(tmp_path, {"UNCIA_S3_SECRET_KEY": "first"})
    with (tmp_path / "stack.env").open("a", encoding="utf-8") as file:
        file.write("UNCIA_FOCUS_TAXA=Ursus arctos\n")
    write_environment(tmp_path, {"UNCIA_S3_SECRET_KEY": "second"})
    values = dotenv_values(tmp_path / "stack.env")
    assert values == {"UNCIA_FOCUS_TAXA": "Ursus arctos", "UNCIA_S3_SECRET_KEY": "second"}


def test_a_damaged_state_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    ensure_identity(tmp_path, tmp_path)
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(StackError, match=r"state\.json is damaged .* remove the folder"):
        read_identity(tmp_path)


def test_a_folder_without_a_stack_has_no_identity(tmp_path: Path) -> None:
    assert read_identity(tmp_path) is None


@pytest.mark.parametrize(
    "value", ["", "plain", "/a b/ca.pem", "/it's here/ca.pem", '/say "hi"/ca.pem', "unix:/run/x:1", "/100% #1;/ca.pem"]
)
def test_a_shell_and_the_settings_read_the_same_value(tmp_path: Path, value: str) -> None:
    write_environment(tmp_path, {"UNCIA_KAFKA_CAFILE": value})
    assert dotenv_values(tmp_path / "stack.env") == {"UNCIA_KAFKA_CAFILE": value}
    shown = ["sh", "-c", '. "$1/stack.env"; printf %s "$UNCIA_KAFKA_CAFILE"', "sh", str(tmp_path)]
    assert subprocess.run(shown, capture_output=True, text=True, check=True).stdout == value
