"""Licences as each source writes them; whatever is not recognised is refused."""

import pytest

from uncia.training.harvest import HarvestError
from uncia.training.harvest.licence import DEFAULT_CODES, check_codes, parse_licence, refusal


@pytest.mark.parametrize(
    ("text", "code", "version"),
    [
        ("cc0", "cc0", "1.0"),
        ("cc-by", "cc-by", ""),
        ("http://creativecommons.org/licenses/by-nc/4.0/legalcode", "cc-by-nc", "4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0", "1.0"),
        ("CC_BY_4_0", "cc-by", "4.0"),
        ("CC0_1_0", "cc0", "1.0"),
        ("CC BY-SA 3.0 at", "cc-by-sa", "3.0"),
        ("by-nc-sa 2.0", "cc-by-nc-sa", "2.0"),
        ("pdm 1.0", "pdm", "1.0"),
        ("CDLA-Permissive-1.0", "cdla-permissive", "1.0"),
    ],
)
def test_it_reads_the_licences_of_every_source(text: str, code: str, version: str) -> None:
    licence = parse_licence(text)
    assert licence is not None
    assert (licence.code, licence.version) == (code, version)


@pytest.mark.parametrize("text", ["", None, "all rights reserved", "GFDL", "unspecified", "byte", "copyright by Ada"])
def test_a_text_that_is_no_licence_is_not_guessed(text: str | None) -> None:
    assert parse_licence(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "licence-missing"),
        (None, "licence-missing"),
        ("all rights reserved", "licence-unknown"),
        ("cc-by-nc", "licence-not-accepted"),
        ("cc-by", None),
    ],
)
def test_a_picture_is_refused_unless_its_licence_is_on_the_list(text: str | None, reason: str | None) -> None:
    assert refusal(text, parse_licence(text), DEFAULT_CODES) == reason


def test_the_text_of_a_licence_is_linked_where_its_version_is_known() -> None:
    licence = parse_licence("CC BY-SA 3.0")
    assert licence is not None
    assert licence.url == "https://creativecommons.org/licenses/by-sa/3.0/"


def test_an_unknown_code_is_refused_with_the_known_ones() -> None:
    with pytest.raises(HarvestError, match="cc-by-sa"):
        check_codes(["gpl"])
