"""The label set of a model: label, taxon, group and, if calibrated, threshold of each class."""

import json
import math
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from uncia.camtrap.vocabulary import Category
from uncia.errors import SettingsError
from uncia.ids import digest

Group = Category
"""The category of a class; label sets and events store it as `group`."""


class Calibration(BaseModel):
    """Maps a burst's best score of a class to a probability: a logistic curve over the score's log-odds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    slope: float = Field(gt=0, allow_inf_nan=False)
    intercept: float = Field(allow_inf_nan=False)

    def probability(self, score: float) -> float:
        """Return the probability that the class is present, given the score of its best window."""
        held = min(max(score, 1e-6), 1 - 1e-6)
        return 1 / (1 + math.exp(-(self.slope * math.log(held / (1 - held)) + self.intercept)))


class LabelClass(BaseModel):
    """One class of a model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    index: NonNegativeInt
    label: str = Field(min_length=1)
    taxon: str = Field(description="scientific name, as narrow as the class is; empty for what is no living thing")
    group: Group
    threshold: float | None = Field(
        default=None, gt=0, le=1, description="the best window's score from which the class counts as seen; calibrated"
    )
    calibration: Calibration | None = Field(
        default=None, description="learnt on bursts whose truth is known; without it there is no confidence"
    )


class LabelSet(BaseModel):
    """All classes of a model, in the order of its output vector.

    `group` is `nothing` for every class other than animals, persons and vehicles. With stock weights this does **not**
    mean that the frame is blank: such classes are objects (fences, tripods), and a blank frame can score as an animal.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    source: str = Field(default="", description="where names, taxa and thresholds come from, in words")
    classes: tuple[LabelClass, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> "LabelSet":
        if [entry.index for entry in self.classes] != list(range(len(self.classes))):
            raise ValueError("the classes must be numbered 0, 1, 2, ... in order")
        return self

    @cached_property
    def id(self) -> str:
        """`<name>@<digest>`: changes with any label, taxon, group or threshold."""
        content = [entry.model_dump(mode="json", exclude={"calibration"}) for entry in self.classes]
        # Only if there is one, so that label sets without calibration keep their ids.
        for entry, fields in zip(self.classes, content, strict=True):
            if entry.calibration is not None:
                fields["calibration"] = entry.calibration.model_dump(mode="json")
        return f"{self.name}@{digest(json.dumps(content, sort_keys=True, ensure_ascii=False))[:12]}"

    @cached_property
    def _by_taxon(self) -> dict[str, tuple[LabelClass, ...]]:
        found: dict[str, tuple[LabelClass, ...]] = {}
        for entry in self.classes:
            if entry.taxon:
                found[entry.taxon] = (*found.get(entry.taxon, ()), entry)
        return found

    def classes_of_taxon(self, taxon: str) -> tuple[LabelClass, ...]:
        """Return the classes with exactly this taxon; empty if there are none."""
        return self._by_taxon.get(taxon, ())


def load_label_set(path: Path) -> LabelSet:
    """Read a `labels.json`. Raises `SettingsError` with what to do."""
    try:
        return LabelSet.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"no label set at {path}: `uncia models build` makes it") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        detail = f"{where}: {problem['msg']}" if where else problem["msg"]
        raise SettingsError(f"{path} is not a valid label set ({detail}): rebuild the model") from error
