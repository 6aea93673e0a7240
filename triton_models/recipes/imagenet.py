"""The label set of stock ImageNet classifiers: 1,000 classes with taxon, group and calibrated thresholds."""

import csv
import io
from importlib.resources import files
from typing import Any

from uncia.serving.labels import LabelSet

TABLE = "imagenet_classes.csv"

_SOURCE = (
    "Names: ILSVRC 2012, in the order of its 1,000 outputs. Taxa: the synset's species or genus where it is one, "
    "otherwise the narrowest sure family, order or class. Persons: ImageNet has three classes of people; a dozen "
    "kinds of clothing that are rarely seen unworn count as persons too. Threshold of the snow leopard (best window, "
    "0.02): the least that let no false alarm pass on 106 genuine camera-trap frames of 16 data sets without snow "
    "leopards, blanks included; it found 94.1 % of 851 genuine frames (90 bursts, 26 stations) and 95.6 % of the "
    "bursts. The blanks were not from the leopards' own cameras."
)


def label_set() -> LabelSet:
    """The label set, read from the table in this package.

    The group `nothing` contains every class that is no animal, person or vehicle. Stock classes cannot recognise an
    empty frame, so a high score of such a class does not mean that the frame is empty.
    """
    table = files(__package__).joinpath(TABLE).read_text(encoding="utf-8")
    classes: list[dict[str, Any]] = [
        {**row, "threshold": row["threshold"] or None} for row in csv.DictReader(io.StringIO(table))
    ]
    return LabelSet.model_validate({"name": "imagenet-1k", "source": _SOURCE, "classes": classes})
