"""Genuine photographs of camera traps, where a copy of them is available; none of them is part of the project."""

import csv
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from uncia.training.datasets.dataset import Dataset, Sample

DATASETS = Path("../shared/datasets")
"""Folders with a table `manifest.csv` and the photographs that it lists."""

LABELS = ("animal", "blank", "person", "vehicle")

LINEAGES = {
    "agouti": "Dasyprocta punctata, Dasyprocta, Dasyproctidae, Rodentia",
    "coiban_agouti": "Dasyprocta coibae, Dasyprocta, Dasyproctidae, Rodentia",
    "bird_spec": "Aves",
    "collared_peccary": "Pecari tajacu, Pecari, Tayassuidae, Artiodactyla",
    "common_opossum": "Didelphis marsupialis, Didelphis, Didelphidae, Didelphimorphia",
    "european_hare": "Lepus europaeus, Lepus, Leporidae, Lagomorpha",
    "great_tinamou": "Tinamus major, Tinamus, Tinamidae, Tinamiformes, Aves",
    "mouflon": "Ovis aries, Ovis gmelini, Ovis, Bovidae, Artiodactyla",
    "ocelot": "Leopardus pardalis, Leopardus, Felidae, Carnivora",
    "paca": "Cuniculus paca, Cuniculus, Cuniculidae, Rodentia",
    "red_brocket_deer": "Mazama americana, Mazama, Cervidae, Artiodactyla",
    "red_deer": "Cervus elaphus, Cervus, Cervidae, Artiodactyla",
    "red_fox": "Vulpes vulpes, Vulpes, Canidae, Carnivora",
    "red_squirrel": "Sciurus granatensis, Sciurus vulgaris, Sciurus, Sciuridae, Rodentia",
    "roe_deer": "Capreolus capreolus, Capreolus, Cervidae, Artiodactyla",
    "spiny_rat": "Proechimys, Echimyidae, Rodentia",
    "white-nosed_coati": "Nasua narica, Nasua, Procyonidae, Carnivora",
    "white_tailed_deer": "Odocoileus virginianus, Odocoileus, Cervidae, Artiodactyla",
    "wild_boar": "Sus scrofa, Sus, Suidae, Artiodactyla",
    "wood_mouse": "Apodemus sylvaticus, Apodemus, Muridae, Rodentia",
    "cattle": "Bos taurus, Bos, Bovidae, Artiodactyla",
    "california_ground_squirrel": "Otospermophilus beecheyi, Otospermophilus, Sciuridae, Rodentia",
    "elk": "Cervus canadensis, Cervus, Cervidae, Artiodactyla",
    "bobcat": "Lynx rufus, Lynx, Felidae, Carnivora",
    "striped_skunk": "Mephitis mephitis, Mephitis, Mephitidae, Carnivora",
    "mountain_lion": "Puma concolor, Puma, Felidae, Carnivora",
    "wild_pig": "Sus scrofa, Sus, Suidae, Artiodactyla",
    "grey_fox": "Urocyon cinereoargenteus, Urocyon, Canidae, Carnivora",
    "coyote": "Canis latrans, Canis, Canidae, Carnivora",
    "black_bear": "Ursus americanus, Ursus, Ursidae, Carnivora",
    "wild_turkey": "Meleagris gallopavo, Meleagris, Phasianidae, Galliformes, Aves",
    "dog": "Canis familiaris, Canis lupus familiaris, Canis lupus, Canis, Canidae, Carnivora",
}
"""Taxon of a species in the tables, and the taxa above it. Mammals, where no class is named."""


def lineage(species: str) -> frozenset[str]:
    """The taxa that a species is of, from itself up to the kingdom; empty for one that is not known."""
    names = LINEAGES.get(species.lower().replace(" ", "_"), "")
    if not names:
        return frozenset()
    listed = {name.strip() for name in names.split(",")}
    return frozenset(listed | {"Animalia", "Chordata"} | (set() if "Aves" in listed else {"Mammalia"}))


def genuine_datasets(folder: Path = DATASETS) -> dict[str, Dataset]:
    """All data sets by name; empty where there is no copy of them. Photographs whose label is unsure are left out."""
    tables = sorted(folder.glob("*/manifest.csv"))
    return {table.parent.name: Dataset(tuple(_samples(table)), f"data set {table.parent.name}") for table in tables}


def rows_of_tables(folder: Path = DATASETS) -> Iterator[tuple[Path, dict[str, str]]]:
    """The tables and their rows; none where there is no copy of the data sets."""
    for table in sorted(folder.glob("*/manifest.csv")):
        for row in _rows(table):
            yield table, row


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _samples(table: Path) -> list[Sample]:
    samples = []
    for row in _rows(table):
        if row["label"] not in LABELS:
            continue
        path = table.parent / row["file"]
        boxes = [tuple(box) for box in json.loads(row["boxes_xywh"])] if row["boxes_xywh"] else [None]
        group = "nothing" if row["label"] == "blank" else row["label"]
        # Many tables number the frames of a sequence and state no time.
        taken = datetime(2020, 1, 1) + timedelta(seconds=int(row["frame"])) if row["frame"].isdigit() else None
        samples += [
            Sample(
                path,
                row["label"],
                row["sequence_id"] or path.stem,
                row["camera"],
                taken,
                box=box,
                taxon=row["species"],
                group=group,
                dataset=table.parent.name,
            )
            for box in boxes
        ]
    return samples
