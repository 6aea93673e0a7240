"""Processes of a stack are named after what they do."""

import pytest

from benchmarks.processes import stub_part

_STUB = "/parts/triton/backends/python/triton_python_backend_stub"


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (
            [_STUB, "/models/animal_detector/1/model.py", "triton_python_backend_shm_region_1"],
            "triton-stub-animal_detector",
        ),
        ([_STUB, "region"], "triton-stub"),
        ([_STUB, "/model.py"], "triton-stub"),
        (["/usr/bin/python", "/models/animal_detector/1/model.py"], ""),
        ([], ""),
    ],
)
def test_triton_processes_are_named_after_their_model(command: list[str], part: str) -> None:
    assert stub_part(command) == part
