"""From Triton's scores to a `Prediction`: top classes, focus taxa, boxes. Pure: arrays and label sets in."""

import json
from datetime import datetime

import numpy as np

from uncia import ids
from uncia.errors import ScoresNotFinite
from uncia.events import ClassScore, ClassVector, FocusScore, Prediction
from uncia.serving.labels import LabelClass
from uncia.serving.model_card import ModelCard
from uncia.serving.triton_client import InferenceResult
from uncia.settings import Settings

TOP = 5
"""Number of best classes that an event lists with their names, in addition to the complete vector."""

_RULE = "predict/1"
"""Bump when identical scores produce different output."""


class PredictionBuilder:
    """Builds predictions from the results of one model version, with the settings of each station."""

    def __init__(self, settings: Settings, card: ModelCard) -> None:
        self._settings = settings
        self._card = card
        self._digests: dict[str, str] = {}

    def unknown_focus_taxa(self) -> list[str]:
        """Focus taxa in the settings for which the model has no class."""
        by_station = self._settings.station_focus_taxa.values()
        configured = {*self._settings.focus_taxa, *(taxon for taxa in by_station for taxon in taxa)}
        return sorted(taxon for taxon in configured if not self._card.labels.classes_of_taxon(taxon))

    def build(self, result: InferenceResult, station: str, asked_at: datetime) -> Prediction:
        """The prediction for one frame: row 0 of the result.

        Raises `ScoresNotFinite` for NaN or infinite scores: the model must be reloaded, its scores are not used.
        """
        whole, windows, places = result.whole[0], result.windows[0], result.places[0]
        if not (np.isfinite(whole).all() and np.isfinite(windows).all()):
            raise ScoresNotFinite(
                f"{self._card.model} returned NaN or infinite scores: reload it with `uncia models check --reload`"
            )
        best = np.argpartition(windows, -min(TOP, len(windows)))[-TOP:]
        return Prediction(
            model=self._card.model,
            version=result.version,
            label_set=self._card.labels.id,
            settings=self._digest(station),
            asked_at=asked_at,
            inference_ms=round(result.inference_ms, 3),
            whole=ClassVector.pack(whole),
            windows=ClassVector.pack(windows),
            top=tuple(
                self._scored(int(index), windows, places) for index in sorted(best, key=lambda i: (-windows[i], i))
            ),
            focus=tuple(
                self._focus(classes, windows, places)
                for taxon in self._settings.focus_taxa_of(station)
                if (classes := self._card.labels.classes_of_taxon(taxon))
            ),
        )

    def _scored(self, index: int, windows: np.ndarray, places: np.ndarray) -> ClassScore:
        entry = self._card.labels.classes[index]
        return ClassScore(
            index=index,
            label=entry.label,
            taxon=entry.taxon,
            group=entry.group,
            score=_probability(windows[index]),
            box=self._card.frame.window_box(int(places[index])),
        )

    def _focus(self, classes: tuple[LabelClass, ...], windows: np.ndarray, places: np.ndarray) -> FocusScore:
        """The class of the taxon that is furthest above its threshold, or closest below it."""
        entry = max(classes, key=lambda c: (windows[c.index] - self._threshold(c), -c.index))
        return FocusScore(
            taxon=entry.taxon,
            label=entry.label,
            score=_probability(windows[entry.index]),
            threshold=self._threshold(entry),
            box=self._card.frame.window_box(int(places[entry.index])),
        )

    def _threshold(self, entry: LabelClass) -> float:
        """The calibrated threshold where the label set has one; otherwise `certain_from`, as for any other taxon."""
        return entry.threshold if entry.threshold is not None else self._settings.certain_from

    def _digest(self, station: str) -> str:
        """A digest of everything that shapes a prediction at this station, apart from model, version and label set."""
        if station not in self._digests:
            shaped = {
                "rule": _RULE,
                "frame": self._card.frame.model_dump(mode="json"),
                "focus": self._settings.focus_taxa_of(station),
                "certain_from": self._settings.certain_from,
                "top": TOP,
            }
            if len(self._digests) > 10_000:
                self._digests.clear()
            self._digests[station] = ids.settings_digest(json.dumps(shaped, sort_keys=True))
        return self._digests[station]


def _probability(value: np.floating) -> float:
    """Clip to 0 .. 1, which float32 sums may exceed slightly; round to six digits, as no threshold has more."""
    return round(min(1.0, max(0.0, float(value))), 6)
