"""Which model versions receive requests: the pinned ones, or the live ones, following `live.json` when it moves.

A photograph is decoded, sent to Triton and evaluated with the same versions from its first byte to its result. A move
is detected by checking `live.json` (`uncia.serving.model_versions`) twice a second while photographs arrive: a `stat`,
which costs microseconds and works on any mounted file system.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import structlog

from uncia.errors import SettingsError
from uncia.processors.predict.detection import DetectionBuilder
from uncia.processors.predict.prediction import PredictionBuilder
from uncia.serving.detector_card import DetectorCard, read_active_detector_card
from uncia.serving.model_card import ModelCard, read_active_card
from uncia.serving.model_versions import state_stamp
from uncia.settings import Settings

CHECK_INTERVAL_S = 0.5

log = structlog.get_logger("uncia")


class Card(Protocol):
    """The card of a version of any model."""

    @property
    def name(self) -> str:
        """`model@version`."""


AnyCard = TypeVar("AnyCard", bound=Card)


class LiveCard(Generic[AnyCard]):
    """The card of the version that is in use; replaced when `live.json` names another version.

    `read` reads the card of the pinned or the live version, and raises `SettingsError` where there is none.
    """

    def __init__(
        self, folder: Path, pinned: str, read: Callable[[], AnyCard | None], clock: Callable[[], float]
    ) -> None:
        self._folder = folder
        self._pinned = bool(pinned)
        self._read = read
        self._clock = clock
        # Before the card is read: a change between the two is then detected.
        self._stamp = state_stamp(folder)
        self._checked_at = clock()
        self._card = read()

    def current(self) -> AnyCard | None:
        """The card to use now. While the new one cannot be read, that is the previous one."""
        now = self._clock()
        if (self._pinned and self._card is not None) or now - self._checked_at < CHECK_INTERVAL_S:
            return self._card
        self._checked_at = now
        found = state_stamp(self._folder)
        if found == self._stamp:
            return self._card
        using = self._card.name if self._card else None
        try:
            card = self._read()
        except SettingsError as error:
            log.warning("live_version_unreadable", using=using, error=str(error))
            return self._card
        self._stamp = found
        if card != self._card:
            log.info("live_version_changed", before=using, now=card.name if card else None)
            self._card = card
        return self._card


@dataclass(frozen=True)
class ActiveModel:
    """One model version, and what its scores mean."""

    card: ModelCard
    builder: PredictionBuilder


class LiveModel:
    """Provides the version that receives requests. Raises `SettingsError` on creation where there is none."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        folder = settings.model_repository / settings.model
        self._live = LiveCard(folder, settings.model_version, lambda: read_active_card(settings), clock)
        self._active: ActiveModel | None = None
        self.current()

    def current(self) -> ActiveModel:
        """The version to use now; the same object until another version is live."""
        card = self._live.current()
        assert card is not None, "reading the card of a model raises where there is none"
        if self._active is None or self._active.card is not card:
            self._active = self._activate(card)
        return self._active

    def _activate(self, card: ModelCard) -> ActiveModel:
        builder = PredictionBuilder(self._settings, card)
        if unknown := builder.unknown_focus_taxa():
            log.warning("focus_taxa_unknown_to_model", taxa=unknown, label_set=card.labels.id)
        return ActiveModel(card, builder)


@dataclass(frozen=True)
class ActiveDetector:
    """One detector version, and what its boxes mean."""

    card: DetectorCard
    builder: DetectionBuilder


class LiveDetector:
    """Provides the detector version that receives requests; None where no detector is installed or configured.

    A detector that is installed while photographs arrive is used from then on. Raises `SettingsError` on creation
    where a pinned version is not installed.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        folder = settings.model_repository / settings.detector
        self._live: LiveCard[DetectorCard] | None = None
        if settings.detector:
            self._live = LiveCard(folder, settings.detector_version, lambda: read_active_detector_card(settings), clock)
        self._active: ActiveDetector | None = None

    def current(self) -> ActiveDetector | None:
        """The version to use now; the same object until another version is live."""
        card = self._live.current() if self._live else None
        if card is None:
            self._active = None
        elif self._active is None or self._active.card is not card:
            self._active = ActiveDetector(card, DetectionBuilder(card))
        return self._active
