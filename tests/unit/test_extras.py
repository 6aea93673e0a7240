"""The base and each extra import all that they promise from what they bring alone.

The environment of the tests has every extra; what an installation would lack is hidden from the import. That needs no
index and no copy of torch; `tests/recipes/test_installation.py` installs all extras but `models` for good.
"""

import subprocess
import sys

import pytest

from tests.installation import EXTRAS, IMPORT_ALL, hidden_modules, promised
from tests.paths import ROOT


@pytest.mark.timeout(300)  # torch and scikit-learn take long to import on a busy machine
@pytest.mark.parametrize("extra", ["", *EXTRAS], ids=["base", *EXTRAS])
def test_it_imports_what_it_promises(extra: str) -> None:
    hidden = hidden_modules(extra)
    assert "pytest" in hidden
    assert ("numpy" in hidden) == (extra in ("", "mailroom", "delivery"))
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, ",".join(sorted(hidden)), *promised(extra)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert ended.returncode == 0, ended.stderr


def test_the_base_brings_neither_numpy_nor_a_triton_client() -> None:
    assert {"numpy", "PIL", "tritonclient", "faust", "torch", "jinja2", "google"} <= hidden_modules()
