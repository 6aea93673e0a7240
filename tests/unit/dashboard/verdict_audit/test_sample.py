"""Which bursts belong to the sample."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia import ids
from uncia.dashboard.verdict_audit.sample import AuditSample, Stratum
from uncia.settings import Settings

BLANK, CONFIDENT = Stratum.BLANK, Stratum.CONFIDENT
BURST_IDS = [f"bst-{ids.digest('burst', str(number))}" for number in range(20_000)]

shares = st.floats(0, 1)
seeds = st.text(max_size=20)
burst_ids = st.integers(0, 16**24 - 1).map(lambda number: f"bst-{number:024x}")


def sample(seed: str = "1", blank: float = 0.01, confident: float = 0.01) -> AuditSample:
    return AuditSample(seed, blank, confident, 0.95)


@given(seeds, shares, shares, burst_ids)
def test_a_larger_share_keeps_every_burst_of_a_smaller_one(seed: str, one: float, other: float, burst: str) -> None:
    small, large = sample(seed, min(one, other)), sample(seed, max(one, other))
    assert not small.includes(BLANK, burst) or large.includes(BLANK, burst)


@given(seeds, burst_ids)
def test_a_share_of_one_has_all_and_one_of_zero_none(seed: str, burst: str) -> None:
    chosen = sample(seed, blank=1, confident=0)
    assert chosen.includes(BLANK, burst)
    assert not chosen.includes(CONFIDENT, burst)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.2, 0.9])
@pytest.mark.parametrize("seed", ["1", "2", "snow", ""])
def test_the_sample_is_as_large_as_its_share(share: float, seed: str) -> None:
    chosen = sample(seed, share)
    found = sum(chosen.includes(BLANK, burst) for burst in BURST_IDS)
    expected = len(BURST_IDS) * share
    assert abs(found - expected) < 4 * math.sqrt(expected * (1 - share)) + 1


def test_another_seed_has_other_bursts() -> None:
    one, other = ({burst for burst in BURST_IDS if sample(seed).includes(BLANK, burst)} for seed in ("1", "2"))
    assert one and other
    assert not one & other


def test_the_sample_of_a_seed_is_the_same_for_ever() -> None:
    assert sample().start == "bst-0c80ca43a813af5701207260"


def test_each_stratum_has_its_own_share() -> None:
    chosen = sample(blank=0.5, confident=0.05)
    blank, confident = (
        {burst for burst in BURST_IDS if chosen.includes(stratum, burst)} for stratum in (BLANK, CONFIDENT)
    )
    assert confident < blank


@given(seeds, shares.filter(lambda share: share > 0.001), burst_ids)
def test_the_position_in_the_window_is_below_one_in_the_sample_alone(seed: str, share: float, burst: str) -> None:
    chosen = sample(seed, share)
    position = chosen.position(BLANK, burst)
    assert position >= 0
    assert chosen.includes(BLANK, burst) is (position < 1)


def test_the_position_grows_from_the_start_of_the_window_to_its_end() -> None:
    chosen = sample(blank=0.5)
    assert chosen.position(BLANK, chosen.start) == 0
    assert chosen.position(BLANK, f"bst-{int(chosen.start[4:], 16) + 16**24 // 4:024x}") == pytest.approx(0.5)


@pytest.mark.parametrize("scale", [0.1, 0.5])
def test_the_first_positions_are_the_samples_of_scaled_shares(scale: float) -> None:
    whole, part = sample(blank=0.8, confident=0.2), sample(blank=0.8 * scale, confident=0.2 * scale)
    for stratum in Stratum:
        first = {burst for burst in BURST_IDS if whole.position(stratum, burst) < scale}
        assert first == {burst for burst in BURST_IDS if part.includes(stratum, burst)}


def test_without_a_share_there_is_no_position() -> None:
    with pytest.raises(ValueError, match="blank"):
        sample(blank=0).position(BLANK, BURST_IDS[0])


def test_the_settings_decide() -> None:
    settings = Settings(audit_share_blank=0.2, audit_share_confident=0.3, audit_confidence=0.8, audit_seed="x")
    assert AuditSample.of(settings) == AuditSample("x", 0.2, 0.3, 0.8)
