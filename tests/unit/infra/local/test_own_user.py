"""A command that runs as a user of its own reads what it needs, and nothing else below closed folders."""

import json
import os
import pwd
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from uncia.infra.local.own_user import (
    Confined,
    closed_ancestor,
    needed_folders,
    own_command,
    scrubbed,
    user_number,
)

SHOWN = """\
import json, os, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
def readable(path):
    try:
        return sorted(os.listdir(path)) if os.path.isdir(path) else open(path).read()
    except OSError as error:
        return type(error).__name__
print(json.dumps({
    "uids": status["Uid"].split(), "gids": status["Gid"].split(), "groups": status["Groups"].split(),
    "capabilities": int(status["CapEff"], 16), "no_new_privileges": status["NoNewPrivs"].strip(),
    "found": {path: readable(path) for path in sys.argv[1:]}, "environment": dict(os.environ),
}))
"""


@pytest.fixture
def confined(tmp_path: Path) -> Confined:
    """A closed folder, as a stack has it, with keys, models written under any umask, and links to what is needed."""
    closed = tmp_path / "a stack"
    for name in ("keys", "own", "models", "short", "elsewhere"):
        (closed / name).mkdir(parents=True, mode=0o700)
    (closed / "keys" / "operator.json").write_text("secret", encoding="utf-8")
    (closed / "models" / "model.py").write_text("a model", encoding="utf-8")
    (closed / "models" / "model.py").chmod(0o600)
    (closed / "short" / "models").symlink_to(closed / "models")
    for folder in (closed, closed / "short", closed / "keys"):
        folder.chmod(0o700)
    python = "/usr/bin/python3"
    found = (closed / "keys", closed / "short" / "models" / "model.py", closed, closed / "elsewhere", "/proc/1/environ")
    return Confined(
        user=user_number("abcd"),
        command=(python, "-c", SHOWN, *map(str, found)),
        fallback=("/bin/sh", "-c", "echo fallback; id -u"),
        own=str(closed / "own"),
        needs=(str(closed / "short" / "models"),),
        models=str(closed / "models"),
        hidden=str(closed / "keys"),
    )


def run(confined: Confined) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "UNCIA_S3_SECRET_KEY": "secret", "UNCIA_STACK_ID": "abcd"}
    # A Python that every user can run, also where the one of these tests is in a closed folder.
    environment["PATH"] = "/usr/bin:/bin"
    return subprocess.run(own_command(confined), env=environment, capture_output=True, text=True, check=True)


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/usr/bin/python3").exists(),
    reason="only root can become another user, and Python must be where all users find it",
)


def skip_where_it_is_not_permitted(done: subprocess.CompletedProcess[str]) -> None:
    """Containers without the right to mount, or to see the processes of other users."""
    if "Operation not permitted" in done.stderr or "CAP_SYS_PTRACE" in done.stderr:
        pytest.skip(f"this system permits it not: {done.stderr}")


@needs_root
def test_it_reads_what_it_needs_and_no_key(confined: Confined) -> None:
    done = run(confined)
    skip_where_it_is_not_permitted(done)
    shown = json.loads(done.stdout)
    closed = Path(confined.hidden).parent
    assert shown["uids"] == shown["gids"] == [str(confined.user)] * 4
    assert (shown["groups"], shown["capabilities"], shown["no_new_privileges"]) == ([], 0, "1")
    assert shown["found"] == {
        str(closed / "keys"): "FileNotFoundError",
        str(closed / "short" / "models" / "model.py"): "a model",
        str(closed): ["models", "own", "short"],
        str(closed / "elsewhere"): "FileNotFoundError",
        "/proc/1/environ": "PermissionError",
    }
    assert "UNCIA_S3_SECRET_KEY" not in shown["environment"]
    assert shown["environment"]["UNCIA_STACK_ID"] == "abcd"


IN_A_CHROOT = """\
set -e
for entry in /*; do
    new="$root$entry"
    if [ -L "$entry" ]; then cp -P "$entry" "$new"
    elif [ -d "$entry" ]; then mkdir "$new" && mount --rbind "$entry" "$new"
    fi
done
exec chroot "$root" "$@"
"""
"""Runs a command where the root is a plain folder, which is no mount point."""


@needs_root
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_in_a_chroot_it_reads_what_it_needs_and_no_key(confined: Confined, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    command = ["unshare", "--mount", "env", f"root={root}", "sh", "-c", IN_A_CHROOT, "sh"]
    done = subprocess.run(
        [*command, "env", "PATH=/usr/bin:/bin", f"--chdir={Path.cwd()}", *own_command(confined)],
        capture_output=True,
        text=True,
        check=False,
    )
    skip_where_it_is_not_permitted(done)
    if "cannot change root filesystem propagation" in done.stderr:
        pytest.skip("this is a chroot: the other tests show the same")
    found = json.loads(done.stdout)["found"]
    assert found[str(Path(confined.needs[0]) / "model.py")] == "a model", done.stderr
    assert found[confined.hidden] == "FileNotFoundError"
    assert found["/proc/1/environ"] == "PermissionError"


@needs_root
def test_the_machine_keeps_its_own_view_of_the_folders(confined: Confined) -> None:
    run(confined)
    assert (Path(confined.hidden) / "operator.json").read_text(encoding="utf-8") == "secret"


@needs_root
def test_where_the_user_lacks_something_the_fallback_runs_as_before_and_says_why(confined: Confined) -> None:
    done = run(replace(confined, command=("/nowhere/tritonserver",)))
    assert done.stdout.splitlines() == ["fallback", "0"]
    skip_where_it_is_not_permitted(done)
    assert "whose files it can read: other users cannot run /nowhere/tritonserver" in done.stderr
    assert Path(confined.own).stat().st_uid == 0


@needs_root
def test_where_the_keys_stay_readable_the_fallback_runs(confined: Confined) -> None:
    done = run(replace(confined, hidden="/etc"))
    skip_where_it_is_not_permitted(done)
    assert "could read the stack's keys all the same" in done.stderr


def test_the_user_has_no_account_and_is_the_same_at_each_start() -> None:
    number = user_number("0123456789abcdef")
    assert number == user_number("0123456789abcdef")
    assert 61_184 <= number < 65_520
    with pytest.raises(KeyError):
        pwd.getpwuid(number)


def test_the_topmost_closed_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    below = closed_ancestor(tmp_path / "open")
    (tmp_path / "closed" / "a").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert closed_ancestor(tmp_path / "closed" / "a" / "b") == (below or tmp_path / "closed")


def test_folders_inside_others_are_not_needed_again(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    assert needed_folders([tmp_path / "a" / "b", tmp_path / "c", tmp_path / "a"]) == [tmp_path / "a", tmp_path / "c"]


def test_the_environment_has_no_setting_of_uncia_and_no_key_of_another_store() -> None:
    given = {"UNCIA_KAFKA_PASSWORD": "x", "AWS_SECRET_ACCESS_KEY": "x", "UNCIA_STACK_PART": "triton", "LANG": "C"}
    assert scrubbed(given, "/own") == {"UNCIA_STACK_PART": "triton", "LANG": "C", "HOME": "/own", "TMPDIR": "/own"}


def test_the_description_survives_the_command_line(confined: Confined) -> None:
    assert Confined.from_json(confined.to_json()) == confined
