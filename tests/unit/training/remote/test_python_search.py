"""Which Python of another machine is used, and what is said where none fits."""

import pytest

from uncia.training.remote.errors import LinkBroken, RemoteError
from uncia.training.remote.python_search import FoundPython, choose_python


def test_the_first_supported_python_is_used_whatever_a_login_script_prints() -> None:
    output = "Welcome!\nuncia-python 3.9.2 /usr/bin/python3\nuncia-python 3.12.1 /opt/a b/python\nuncia-python end\n"
    assert choose_python(output, None, "ssh://h") == FoundPython("3.12.1", "/opt/a b/python")


def test_a_python_that_is_too_old_is_named() -> None:
    with pytest.raises(RemoteError, match=r"has Python 3\.9\.2 .*needs Python 3\.11, 3\.12 or 3\.13"):
        choose_python("uncia-python 3.9.2 /usr/bin/python3\nuncia-python end\n", None, "ssh://h")


def test_a_machine_without_python_is_said_to_have_none() -> None:
    with pytest.raises(RemoteError, match="has no Python"):
        choose_python("uncia-python end\n", None, "ssh://h")


def test_an_environment_of_another_python_is_named() -> None:
    with pytest.raises(RemoteError, match=r"--environment /venv has Python 3\.14\.0"):
        choose_python("uncia-python 3.14.0 /venv/bin/python\nuncia-python end\n", "/venv", "ssh://h")


def test_an_environment_that_is_none_is_named() -> None:
    with pytest.raises(RemoteError, match="no bin/python"):
        choose_python("uncia-python end\n", "/venv", "ssh://h")


def test_an_answer_that_was_cut_off_is_a_broken_link() -> None:
    with pytest.raises(LinkBroken):
        choose_python("uncia-python 3.12.1 /usr/bin/python3\n", None, "ssh://h")
