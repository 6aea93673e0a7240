"""The topology is complete and consistent: every topic has a writer and a reader, every worker a module."""

import importlib.util
import re
from importlib.metadata import metadata

import pytest

from tests.paths import ROOT
from tests.unit.infra.docker import compose_file
from uncia.infra.local.part_order import PART_NAMES
from uncia.reference.topology_page import mermaid, topology_json, topology_page
from uncia.topics import CHANGELOGS, IMAGE_PREDICTED, TOPICS, Topic
from uncia.topology import PARTS, WORKERS, Kind, Part, consumers, readers, registered_name, writers

TOPIC_NAMES = [topic.name for topic in TOPICS]
EXTRAS = set(metadata("uncia").get_all("Provides-Extra") or ())


def test_display_names_are_unique() -> None:
    names = [part.display_name for part in PARTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("topic", TOPICS, ids=TOPIC_NAMES)
def test_every_topic_is_written_and_read(topic: Topic) -> None:
    assert writers(topic)
    assert readers(topic)


def test_parts_use_registered_topics() -> None:
    assert {topic for part in PARTS for topic in part.inputs + part.writes} == set(TOPICS)
    assert tuple(topic for part in PARTS for topic in part.changelogs) == CHANGELOGS


@pytest.mark.parametrize("part", WORKERS.values(), ids=WORKERS)
def test_every_worker_has_a_module_an_extra_and_a_scaling_limit(part: Part) -> None:
    assert importlib.util.find_spec(part.module) is not None
    assert part.extra in EXTRAS
    assert part.scales
    assert part.group == f"uncia-{part.name}"


def test_changelogs_have_the_names_that_faust_gives_them() -> None:
    for part in WORKERS.values():
        for topic in part.changelogs:
            assert re.fullmatch(rf"{part.group}-[a-z]+-changelog", topic.name)


def test_only_workers_have_a_module_and_only_what_consumes_has_a_group() -> None:
    for part in PARTS:
        assert bool(part.module) == (part.kind is Kind.WORKER)
        assert bool(part.group) == (part.kind in (Kind.WORKER, Kind.SERVICE) and bool(part.reads))


def test_the_embedded_stack_starts_the_embedded_parts_after_what_they_need() -> None:
    for part in PARTS:
        assert (part.name in PART_NAMES) == part.embedded or part.kind is Kind.COMMAND
        if part.embedded:
            assert set(part.needs) <= set(PART_NAMES[: PART_NAMES.index(part.name)])


def test_the_compose_file_runs_the_embedded_parts() -> None:
    commands = {tuple(service["command"]) for service in compose_file.ours().values()}
    workers = {command[1] for command in commands if command[0] == "worker"}
    assert workers == {name for name, part in WORKERS.items() if part.embedded}
    assert {part.name for part in PARTS if part.kind is Kind.SERVICE} <= {command[0] for command in commands}


def test_a_topic_that_is_followed_has_no_lag() -> None:
    assert [part.name for part in consumers(IMAGE_PREDICTED)] == ["bursts", "clocks", "alerts", "catalogue"]
    for topic in TOPICS:
        assert all(topic not in part.follows for part in consumers(topic))


def test_a_registered_name_is_recognised_in_any_namespace() -> None:
    assert registered_name("a.b.camera.image.predicted.v1", (IMAGE_PREDICTED,))
    assert registered_name("camera.image.predicted.v1", (IMAGE_PREDICTED,))
    assert not registered_name("xcamera.image.predicted.v1", (IMAGE_PREDICTED,))


def test_the_committed_page_is_current() -> None:
    assert (ROOT / "docs" / "topology.md").read_text(encoding="utf-8") == topology_page()


def test_the_diagram_leaves_out_the_queue_of_a_single_worker_and_nothing_else() -> None:
    drawn = mermaid()
    hidden = {topic.name for topic in TOPICS if f"[/{topic.name}/]" not in drawn}
    assert "camera.second-look.requested.v1" in hidden
    assert "camera.explanation.requested.v1" not in hidden
    for topic in TOPICS:
        parts = {part.name for part in (*writers(topic), *readers(topic)) if part.kind is not Kind.COMMAND}
        assert topic.name not in hidden or len(parts) < 2


def test_the_diagram_connects_declared_nodes() -> None:
    lines = mermaid().splitlines()
    declared = {found[1] for line in lines if (found := re.fullmatch(r"    (\w+)[(\[].*", line))}
    edges = [found.group(1, 2) for line in lines if (found := re.fullmatch(r"    (\w+) -\.?->? ?(?:->)? ?(\w+)", line))]
    connected = {node for edge in edges for node in edge}
    assert connected == declared


def test_the_json_lists_every_part_and_topic() -> None:
    values = topology_json()
    assert [part["name"] for part in values["parts"]] == [part.name for part in PARTS]
    assert [topic["name"] for topic in values["topics"]] == [topic.name for topic in (*TOPICS, *CHANGELOGS)]
