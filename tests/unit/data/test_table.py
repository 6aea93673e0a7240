"""A table of pictures, as people write them."""

import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest

from triton_models.data import DataError
from triton_models.data.pictures import read_data


def table(folder: Path, text: str) -> Path:
    path = folder / "pictures.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_columns_are_read(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "path,label,burst,camera,taken,taxon,group,x,y,width,height\n"
        "a/1.jpg,fox,7,ridge,2026-05-01 06:30:00,Vulpes vulpes,animal,0.1,0.2,0.3,0.4\n",
    )
    (picture,) = read_data(path).pictures
    assert picture.path == tmp_path / "a" / "1.jpg"
    assert (picture.label, picture.taxon, picture.group) == ("fox", "Vulpes vulpes", "animal")
    assert (picture.burst, picture.camera) == ("ridge/7", "ridge")
    assert picture.taken == datetime(2026, 5, 1, 6, 30)
    assert picture.box == pytest.approx((0.1, 0.2, 0.3, 0.4))


def test_a_folder_with_the_table_is_the_same_data(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label\n1.jpg,fox\n")
    assert read_data(tmp_path) == read_data(path)


@pytest.mark.parametrize("heading", ["File;Species", "filename\tclass", "\ufeffFile Name,Vernacular_Name"])
def test_other_separators_and_names_are_understood(tmp_path: Path, heading: str) -> None:
    separator = max(",;\t", key=heading.count)
    data = read_data(table(tmp_path, f"{heading}\n1.jpg{separator}fox\n"))
    assert [(picture.path.name, picture.label) for picture in data.pictures] == [("1.jpg", "fox")]


def test_bursts_follow_from_the_times_that_the_table_tells(tmp_path: Path) -> None:
    lines = "".join(f"{n}.jpg,fox,ridge,2026-05-01 06:3{minute}:00\n" for n, minute in enumerate((0, 1, 5)))
    first, second, last = read_data(table(tmp_path, "path,label,camera,taken\n" + lines)).pictures
    assert first.burst == second.burst != last.burst


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,label\n1.jpg,fox\n", "no column path"),
        ("path,label,taken\n1.jpg,fox,2026-05-01\n2.jpg,fox,yesterday\n", "line 3: 'yesterday' is no time"),
        ("path,label,x,y,width,height\n1.jpg,fox,10,10,200,300\n", "not in shares of the picture"),
        ("path,label,x,y,width,height\n1.jpg,fox,a,b,c,d\n", "not four numbers"),
        ("path,label,group\n1.jpg,fox,mammal\n", "group 'mammal' is none of"),
        ("path,label\n", "no labelled pictures"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_data(table(tmp_path, text))


def test_a_picture_takes_less_than_2_kb_of_memory(tmp_path: Path) -> None:
    """So 50,000 of them take less than 100 MB."""
    count = 3000
    lines = (f"card/{n:06}.jpg,fox,b{n // 4},ridge-{n % 50},2026-05-01 06:30:00\n" for n in range(count))
    path = table(tmp_path, "path,label,burst,camera,taken\n" + "".join(lines))
    tracemalloc.start()
    data = read_data(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(data) == count
    assert peak < 2000 * count
