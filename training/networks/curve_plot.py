"""The curve of a training that runs, as a plot next to its checkpoint."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from uncia.training.model_packages.plots import line_plot
from uncia.training.model_packages.trained_model import CurvePoint

__all__ = ["PLOT_FILE", "CurvePlot"]

PLOT_FILE = "loss.svg"
_INTERVAL_S = 5.0
"""Least time between two plots: drawing one takes a quarter of a second, an epoch of a small network may take less."""


class CurvePlot:
    """Writes the loss by epoch into `loss.svg` of a folder; the folder is deleted with the checkpoint."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PLOT_FILE
        self._written_at = -_INTERVAL_S

    def update(self, curve: Sequence[CurvePoint]) -> None:
        """Replace the plot, unless it was written a moment ago. Training goes on where it cannot be written."""
        if time.monotonic() - self._written_at < _INTERVAL_S:
            return
        losses = {
            "training": [(point.step, point.train_loss) for point in curve],
            "held-out": [(point.step, point.held_out_loss) for point in curve],
        }
        draft = self._path.with_name(f".{PLOT_FILE}.draft")
        with contextlib.suppress(OSError):
            draft.write_text(_standalone(line_plot("Loss", "epoch", losses, low=0)), encoding="utf-8")
            draft.replace(self._path)
        self._written_at = time.monotonic()


def _standalone(svg: str) -> str:
    """An `<svg>` element of a page as a file of its own, which needs the namespaces."""
    return svg if "xmlns=" in svg else svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
