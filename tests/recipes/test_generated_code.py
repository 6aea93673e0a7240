"""The AsyncAPI document is valid by AsyncAPI's own parser, and the code that Modelina generates from it compiles."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import EVENT_SAMPLES, ROOT
from tests.toolchains import ENVIRONMENT, java_compiler, node, npm_packages, run
from uncia.topics import TOPICS

GENERATORS = Path(__file__).parent / "generators"
DOCUMENT = ROOT / "docs" / "asyncapi.json"
CLASSES = sorted({topic.event.__name__ for topic in TOPICS if topic.event is not None})

_PARSES_SAMPLES = """
import importlib, json, pkgutil, sys, uncia_events

classes = {}
for module in pkgutil.iter_modules(uncia_events.__path__):
    loaded = importlib.import_module(f"uncia_events.{module.name}")
    classes.update({name: value for name, value in vars(loaded).items() if isinstance(value, type)})
for event, body in json.load(sys.stdin):
    parsed = classes[event].model_validate(body)
    assert parsed.model_dump(mode="json", exclude_none=True) == body, (event, parsed)
print(len(classes))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generators' scripts next to their packages."""
    folder = tmp_path_factory.mktemp("generators")
    (folder / "node_modules").symlink_to(npm_packages(GENERATORS / "package.json") / "node_modules")
    for script in GENERATORS.glob("*.mjs"):
        shutil.copy(script, folder)
    shutil.copy(GENERATORS / "package.json", folder)
    return folder


@pytest.fixture(scope="module")
def generated(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the generated code of all languages."""
    folder = tmp_path_factory.mktemp("generated code")
    run([*node(), packages / "generate.mjs", DOCUMENT, folder], environment=ENVIRONMENT)
    return folder


def test_the_parser_of_asyncapi_finds_nothing(packages: Path) -> None:
    assert run([*node(), packages / "validate.mjs", DOCUMENT]) == ""


def test_the_parser_of_asyncapi_finds_what_is_wrong(packages: Path, tmp_path: Path) -> None:
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    document["channels"]["camera-clock-ticked-v1"]["adress"] = "misspelt"
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(AssertionError, match="adress"):
        run([*node(), packages / "validate.mjs", wrong])


def test_generated_java_compiles(generated: Path, tmp_path: Path) -> None:
    java_compiler().compile(generated / "java", tmp_path)
    compiled = {path.stem for path in tmp_path.rglob("*.class")}
    assert compiled >= set(CLASSES)


def test_generated_typescript_compiles(generated: Path, packages: Path) -> None:
    sources = sorted((generated / "typescript").glob("*.ts"))
    assert {path.stem for path in sources} >= set(CLASSES)
    compiler = packages / "node_modules" / "typescript" / "lib" / "tsc.js"
    run([*node(), compiler, "--strict", "--noEmit", "--target", "es2022", *sources], folder=generated)


def test_generated_python_reads_every_sample_and_writes_it_back(generated: Path) -> None:
    names = {topic.event.topic: topic.event.__name__ for topic in TOPICS if topic.event is not None}
    samples = []
    for path in sorted(EVENT_SAMPLES.glob("*.json")):
        if not path.name.endswith(".headers.json"):
            body = json.loads(path.read_text(encoding="utf-8"))
            samples.append((names[body["event"]], body))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _PARSES_SAMPLES],
        cwd=generated,
        input=json.dumps(samples),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) >= len(CLASSES)
