"""Which version of the model is asked: the pinned one, or the one that is live, and it moves when that has moved.

A photograph is decoded, asked about and judged with one version from its first byte to its answer. The move is
noticed by looking at `live.json` (`uncia.serving.model_versions`) twice a second while photographs come: a
`stat`, which costs microseconds and works wherever the repository is mounted.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from uncia.errors import SettingsError
from uncia.processors.predict.verdict import Judge
from uncia.serving.model_card import ModelCard, read_active_card
from uncia.serving.model_versions import state_stamp
from uncia.settings import Settings

LOOK_EVERY_S = 0.5

log = structlog.get_logger("uncia")


@dataclass(frozen=True)
class Asked:
    """One version, and what its answers mean."""

    card: ModelCard
    judge: Judge


class LiveModel:
    """Hands out the version to ask. Raises `SettingsError` where there is none at the start."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._folder = settings.model_repository / settings.model
        # Before the card: what is written between the two is then read again.
        self._stamp = state_stamp(self._folder)
        self._looked = clock()
        self._asked = self._take(read_active_card(settings))

    def current(self) -> Asked:
        """The version to ask now. What cannot be read leaves the one that was asked so far."""
        now = self._clock()
        if self._settings.model_version or now - self._looked < LOOK_EVERY_S:
            return self._asked
        self._looked = now
        found = state_stamp(self._folder)
        if found == self._stamp:
            return self._asked
        try:
            card = read_active_card(self._settings)
        except SettingsError as error:
            log.warning("the live version cannot be read", asked=self._asked.card.name, error=str(error))
            return self._asked
        self._stamp = found
        if card != self._asked.card:
            log.info("another version is live", before=self._asked.card.name, now=card.name, label_set=card.label_set)
            self._asked = self._take(card)
        return self._asked

    def _take(self, card: ModelCard) -> Asked:
        judge = Judge(self._settings, card)
        if unknown := judge.unknown_focus():
            log.warning("focus taxa that the model does not know", taxa=unknown, label_set=card.labels.id)
        return Asked(card, judge)
