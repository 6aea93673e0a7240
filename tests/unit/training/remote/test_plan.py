"""A run's name, the paths over there, and what is copied once."""

from pathlib import Path

import pytest

from uncia.training.datasets import DataError
from uncia.training.remote.content import RunInput, collect_dataset, collect_tree
from uncia.training.remote.errors import RemoteError
from uncia.training.remote.plan import (
    Argument,
    EnvironmentSpec,
    RunPlan,
    links_of,
    objects_of,
    remote_arguments,
    run_id,
    to_local_paths,
)

ENVIRONMENT = EnvironmentSpec(requirements=["torch>=2"], constraints=["torch==2.9"], checked={"torch": "2.9"})


def ignore(done: int, total: int) -> None:
    """No progress."""


def class_folders(folder: Path) -> Path:
    for label in ("lynx", 'it\'s a "fox"'):
        (folder / label).mkdir(parents=True)
        (folder / label / "1 a.jpg").write_bytes(label.encode())
        (folder / label / "same.jpg").write_bytes(b"same")
    return folder


def plan_of(inputs: list[RunInput], out: Path) -> RunPlan:
    arguments = [
        Argument(kind="text", text="train"),
        Argument(kind="output"),
        Argument(kind="cache"),
        Argument(kind="input", text="0"),
    ]
    return RunPlan(
        id="my-run", arguments=arguments, inputs=inputs, out=str(out), code="c" * 64, environment=ENVIRONMENT
    )


def test_the_same_content_is_copied_once_and_linked_for_each_name(tmp_path: Path) -> None:
    plan = plan_of([collect_dataset(class_folders(tmp_path / "data"), "auto", ignore)], tmp_path / "out")
    assert (len(objects_of(plan)), len(links_of(plan))) == (3, 4)


def test_every_object_names_a_file_that_has_its_content(tmp_path: Path) -> None:
    plan = plan_of([collect_tree(class_folders(tmp_path / "data"), ignore)], tmp_path / "out")
    assert all(path.stat().st_size == size for path, size in objects_of(plan).values())


def test_hidden_files_stay_here(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "data")
    (folder / "lynx" / ".DS_Store").write_bytes(b"x")
    assert not any(".DS_Store" in file.name for file in collect_tree(folder, ignore).files)


def test_of_a_table_only_the_photographs_that_it_lists_are_copied(tmp_path: Path) -> None:
    (tmp_path / "listed.jpg").write_bytes(b"1")
    (tmp_path / "other.jpg").write_bytes(b"2")
    (tmp_path / "table.csv").write_text("path,label\nlisted.jpg,lynx\n")
    found = collect_dataset(tmp_path / "table.csv", "auto", ignore)
    assert [file.name for file in found.files] == ["table.csv", "listed.jpg"]


def test_a_table_with_an_absolute_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(f"path,label\n{tmp_path}/a.jpg,lynx\n")
    with pytest.raises(RemoteError, match="not in its folder"):
        collect_dataset(tmp_path / "table.csv", "auto", ignore)


def test_a_table_with_a_photograph_above_its_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "table.csv").write_text("path,label\n../a.jpg,lynx\n")
    with pytest.raises(RemoteError, match="not in its folder"):
        collect_dataset(tmp_path / "below" / "table.csv", "auto", ignore)


def test_a_source_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        collect_dataset(tmp_path / "none", "auto", ignore)


def test_the_command_over_there_has_the_paths_over_there(tmp_path: Path) -> None:
    plan = plan_of([collect_tree(class_folders(tmp_path / "my data"), ignore)], tmp_path / "my model")
    assert remote_arguments(plan, "/root dir") == [
        "train",
        "/root dir/runs/my-run/out/my model",
        "/root dir/features",
        "/root dir/runs/my-run/inputs/0/my data",
    ]


def test_what_the_run_writes_names_the_paths_here(tmp_path: Path) -> None:
    plan = plan_of([collect_tree(class_folders(tmp_path / "data"), ignore)], tmp_path / "model")
    line = "/r/runs/my-run/out/model contains; skipped: /r/runs/my-run/inputs/0/data/lynx/same.jpg"
    assert to_local_paths(line, plan, "/r") == f"{tmp_path}/model contains; skipped: {tmp_path}/data/lynx/same.jpg"


def test_the_same_command_with_the_same_data_is_the_same_run(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "data")
    names = {run_id([], [collect_tree(folder, ignore)], tmp_path / "out", "ssh://a") for _ in range(2)}
    assert len(names) == 1


def test_other_data_are_another_run(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "data")
    before = run_id([], [collect_tree(folder, ignore)], tmp_path / "out", "ssh://a")
    (folder / "lynx" / "2.jpg").write_bytes(b"new")
    assert run_id([], [collect_tree(folder, ignore)], tmp_path / "out", "ssh://a") != before


def test_the_name_of_a_run_fits_kubernetes(tmp_path: Path) -> None:
    name = run_id([], [], tmp_path / f"Ünïcode $(x) {'long' * 30}", "kubernetes")
    assert len(f"uncia-training-{name}") <= 63 and name.replace("-", "").isalnum() and name.isascii()


def test_an_environment_is_used_again_for_the_same_minor_version_of_python() -> None:
    assert ENVIRONMENT.digest("3.11.2") == ENVIRONMENT.digest("3.11.9") != ENVIRONMENT.digest("3.12.0")
