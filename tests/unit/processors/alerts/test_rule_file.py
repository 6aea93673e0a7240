"""The file of rules, and the place of every mistake."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.alerts.builders import TAXONOMY
from uncia.errors import SettingsError
from uncia.events import BurstCategory, Severity
from uncia.processors.alerts.rule_file import parse_rules, read_rules
from uncia.processors.alerts.rules import Rule
from uncia.processors.yaml_positions import FileMistakes

WHOLE = """\
rules:
  - name: snow leopard at night   # a comment
    taxon: [Panthera uncia, Panthera]
    min_confidence: 0.8
    uncertain: no
    stations: [ridge, "val*"]
    cameras: ridge/north
    hours: 20:00-05:30
    min_count: 2
    provisional: true
    encounter: 15m
    cooldown: 2h
    max_age: any
    rare: 30d
    rare_by: rule
    severity: critical
    channels: [rangers]
  - {name: person, category: person}
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(FileMistakes) as caught:
        parse_rules(text, "rules.yaml", TAXONOMY)
    return str(caught.value).splitlines()


def test_every_field_is_read() -> None:
    first, second = parse_rules(WHOLE, "rules.yaml", TAXONOMY).rules
    assert first == Rule(
        "snow leopard at night",
        taxa=("Panthera uncia", "Panthera"),
        min_confidence=0.8,
        stations=("ridge", "val*"),
        cameras=("ridge/north",),
        hours=(1200, 330),
        min_count=2,
        provisional=True,
        encounter=timedelta(minutes=15),
        cooldown=timedelta(hours=2),
        max_age=None,
        rare=timedelta(days=30),
        rare_by_rule=True,
        severity=Severity.CRITICAL,
        channels=("rangers",),
    )
    assert second == Rule("person", category=BurstCategory.PERSON)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{name: a, taxn: x}", "line 2, column 15: a rule has no 'taxn': did you mean 'taxon'?"),
        ("{taxon: Felidae}", "line 2, column 5: the rule has no `name`"),
        ("{name: a}", "line 2, column 5: the rule 'a' has no `taxon`, `category`, `silent_for`, `moved` or `drift`"),
        ("{name: a, category: dog}", "line 2, column 25: use one of animal, person, vehicle, blank"),
        ("{name: a, category: person, min_confidence: 0.5}", "line 2, column 49: verdicts have no probability of a "),
        ("{name: a, category: blank, taxon: Felidae}", "line 2, column 25: no blank has a taxon"),
        ("{name: a, taxon: Felidae, min_confidence: 80}", "line 2, column 47: a number from 0 to 1 is expected"),
        ("{name: a, taxon: Felidae, min_count: 0}", "line 2, column 42: a number from 1 to 9999 is expected"),
        ("{name: a, taxon: Felidae, hours: 25:00-05:00}", "line 2, column 38: hours are two times of the day"),
        ("{name: a, taxon: Felidae, hours: 5:00-05:00}", "line 2, column 38: the two times are the same"),
        ("{name: a, taxon: Felidae, cooldown: 5 weeks}", "line 2, column 41: a duration is a number and a unit"),
        ("{name: a, taxon: Felidae, cooldown: 999999d}", "line 2, column 41: the duration exceeds ten years"),
        ("{name: a, taxon: Felidae, provisional: maybe}", "line 2, column 44: use true or false"),
        ("{name: a, taxon: Felidae, taxon: Canidae}", "line 2, column 31: 'taxon' is given twice"),
        ("{name: '', taxon: Felidae}", "line 2, column 12: the value is empty"),
        ('{name: "a\\e[31m", taxon: Felidae}', "line 2, column 12: the value has more than 200 characters, or"),
        ("{name: [a], taxon: Felidae}", "line 2, column 12: one value is expected"),
        ("{name: a, taxon: Felidae, rare: monthly}", "line 2, column 37: a duration is a number and a unit"),
        ("{name: a, taxon: Felidae, rare: 20m}", "line 2, column 37: `rare` must be longer than `encounter`"),
        ("{name: a, taxon: Felidae, rare: 9d, rare_by: station}", "line 2, column 50: use one of taxon, rule"),
        ("{name: a, taxon: Felidae, rare_by: rule}", "line 2, column 40: `rare_by` needs `rare`"),
        ("{name: a, silent_for: 20m}", "line 2, column 27: a silence is at least 1h, or `deployment`"),
        ("{name: a, silent_for: never}", "line 2, column 27: a duration is a number and a unit"),
        ("{name: a, silent_for: 3d, taxon: Felidae}", "line 2, column 38: a rule with `silent_for` has no `taxon`"),
        ("{name: a, silent_for: 3d, hours: 1:00-2:00}", "line 2, column 38: a rule with `silent_for` has no `hours`"),
        ("{name: a, moved: often}", "line 2, column 22: use true or false"),
        (
            "{name: a, moved: false}",
            "line 2, column 5: the rule 'a' has no `taxon`, `category`, `silent_for`, `moved` or",
        ),
        ("{name: a, moved: true, rare: 9d}", "line 2, column 34: a rule with `moved` has no `rare`: it has no bursts"),
        ("{name: a, silent_for: 3d, moved: true}", "line 2, column 38: a rule has one of `silent_for` and `moved`"),
        ("{name: a, drift: often}", "line 2, column 22: use true or false"),
        ("{name: a, drift: true, hours: 1:00-2:00}", "line 2, column 35: a rule with `drift` has no `hours`"),
        ("{name: a, moved: true, drift: true}", "line 2, column 35: a rule has one of `moved` and `drift`"),
        ("snow leopard", "line 2, column 5: a rule must consist of `key: value`"),
        ("{name: a, taxon: *leopard}", "line 2, column 22: anchors and aliases"),
    ],
)
def test_a_mistake_is_named_with_its_place(rule: str, message: str) -> None:
    assert mistakes(f"rules:\n  - {rule}")[0].startswith(f"rules.yaml, {message}")


def test_all_mistakes_are_named_at_once() -> None:
    text = "rules:\n  - {name: a, category: dog}\n  - {name: b, taxon: Felidae, hours: now}\n  - {name: b}"
    assert [line.split(":")[0] for line in mistakes(text)] == [
        "rules.yaml, line 2, column 25",
        "rules.yaml, line 3, column 38",
        "rules.yaml, line 4, column 5",
    ]


def test_two_rules_of_one_name_are_refused() -> None:
    text = "rules:\n  - {name: a, taxon: Felidae}\n  - {name: a, taxon: Canidae}"
    assert mistakes(text) == ["rules.yaml, line 3, column 5: a second rule is called 'a'"]


@pytest.mark.parametrize("text", ["rules: [", "\t", "rules:\n  - {name: a", "[" * 100_000, "- " * 100_000, "%YAML 9"])
def test_what_is_not_yaml_is_refused_with_a_place(text: str) -> None:
    assert mistakes(text)[0].startswith("rules.yaml, line ")


def test_a_taxon_that_the_taxonomy_does_not_have_is_a_warning() -> None:
    found = parse_rules("rules:\n  - {name: a, taxon: Panthera unica}", "rules.yaml", TAXONOMY)
    (warning,) = found.warnings
    assert str(warning) == (
        "line 2, column 22: the taxonomy does not have 'Panthera unica'; did you mean 'Panthera uncia'?"
    )


def test_an_empty_file_has_no_rule() -> None:
    assert not parse_rules("# nothing yet\n", "rules.yaml", TAXONOMY).rules


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_rules(tmp_path / "rules.yaml", TAXONOMY)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_bytes(b"rules:\n\xff")
    with pytest.raises(FileMistakes, match="line 2, column 1: the file is not UTF-8"):
        read_rules(tmp_path / "rules.yaml", TAXONOMY)


@given(st.text(max_size=200))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        parse_rules(f"rules:\n  - {text}", "rules.yaml", TAXONOMY)
    except FileMistakes as error:
        assert error.mistakes


@pytest.mark.parametrize(("text", "time"), [("3d", timedelta(days=3)), ("deployment", None)])
def test_a_rule_about_silence_needs_no_taxon(text: str, time: timedelta | None) -> None:
    (rule,) = parse_rules(f"rules:\n  - {{name: a, silent_for: {text}}}", "rules.yaml", TAXONOMY).rules
    assert rule == Rule("a", silent=True, silent_for=time)


def test_a_rule_about_moves_needs_no_taxon() -> None:
    text = "rules:\n  - {name: a, moved: true, cameras: ridge/*, cooldown: 7d, severity: info, channels: mail}"
    (rule,) = parse_rules(text, "rules.yaml", TAXONOMY).rules
    moved = Rule(
        "a",
        moved=True,
        cameras=("ridge/*",),
        cooldown=timedelta(days=7),
        severity=Severity.INFO,
        channels=("mail",),
    )
    assert rule == moved


@pytest.mark.parametrize("text", ["rules:\n  - {{ leopard_rule }}\n", "rules:\n  - ? [a, b]\n    : c\n"])
def test_a_template_that_was_not_filled_in_is_a_mistake_with_its_place(text: str) -> None:
    (mistake,) = mistakes(text)
    assert "put braces and brackets in quotes" in mistake and "line 2" in mistake
