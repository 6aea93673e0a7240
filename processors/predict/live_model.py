"""Which model version receives requests: the pinned one, or the live one, following `live.json` when it moves.

A photograph is decoded, sent to Triton and evaluated with one version from its first byte to its result. A move is
detected by checking `live.json` (`uncia.serving.model_versions`) twice a second while photographs arrive: a `stat`,
which costs microseconds and works on any mounted file system.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from uncia.errors import SettingsError
from uncia.processors.predict.prediction import PredictionBuilder
from uncia.serving.model_card import ModelCard, read_active_card
from uncia.serving.model_versions import state_stamp
from uncia.settings import Settings

CHECK_INTERVAL_S = 0.5

log = structlog.get_logger("uncia")


@dataclass(frozen=True)
class ActiveModel:
    """One model version, and what its scores mean."""

    card: ModelCard
    builder: PredictionBuilder


class LiveModel:
    """Provides the version that receives requests. Raises `SettingsError` on creation where there is none."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._folder = settings.model_repository / settings.model
        # Before the card is read: a change between the two is then detected.
        self._stamp = state_stamp(self._folder)
        self._checked_at = clock()
        self._active = self._activate(read_active_card(settings))

    def current(self) -> ActiveModel:
        """The version to use now. While the new one cannot be read, that is the previous one."""
        now = self._clock()
        if self._settings.model_version or now - self._checked_at < CHECK_INTERVAL_S:
            return self._active
        self._checked_at = now
        found = state_stamp(self._folder)
        if found == self._stamp:
            return self._active
        try:
            card = read_active_card(self._settings)
        except SettingsError as error:
            log.warning("live_version_unreadable", using=self._active.card.name, error=str(error))
            return self._active
        self._stamp = found
        if card != self._active.card:
            log.info("live_version_changed", before=self._active.card.name, now=card.name, label_set=card.label_set)
            self._active = self._activate(card)
        return self._active

    def _activate(self, card: ModelCard) -> ActiveModel:
        builder = PredictionBuilder(self._settings, card)
        if unknown := builder.unknown_focus_taxa():
            log.warning("focus_taxa_unknown_to_model", taxa=unknown, label_set=card.labels.id)
        return ActiveModel(card, builder)
