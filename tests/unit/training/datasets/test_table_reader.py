"""Tables of images in the variants that people and programs write."""

import contextlib
import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uncia.training.datasets import DataError
from uncia.training.datasets.reading import read_dataset


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
    (sample,) = read_dataset(path).samples
    assert sample.path == tmp_path / "a" / "1.jpg"
    assert (sample.label, sample.taxon, sample.group) == ("fox", "Vulpes vulpes", "animal")
    assert (sample.burst, sample.camera) == ("ridge/7", "ridge")
    assert sample.taken == datetime(2026, 5, 1, 6, 30)
    assert sample.box == pytest.approx((0.1, 0.2, 0.3, 0.4))


def test_a_folder_with_the_table_gives_the_same_dataset(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label\n1.jpg,fox\n")
    assert read_dataset(tmp_path) == read_dataset(path)


@pytest.mark.parametrize("heading", ["File;Species", "filename\tclass", "\ufeffFile Name,Vernacular_Name"])
def test_other_separators_and_column_names_are_recognised(tmp_path: Path, heading: str) -> None:
    separator = max(",;\t", key=heading.count)
    data = read_dataset(table(tmp_path, f"{heading}\n1.jpg{separator}fox\n"))
    assert [(sample.path.name, sample.label) for sample in data.samples] == [("1.jpg", "fox")]


def test_bursts_follow_from_the_times_in_the_table(tmp_path: Path) -> None:
    lines = "".join(f"{n}.jpg,fox,ridge,2026-05-01 06:3{minute}:00\n" for n, minute in enumerate((0, 1, 5)))
    first, second, last = read_dataset(table(tmp_path, "path,label,camera,taken\n" + lines)).samples
    assert first.burst == second.burst != last.burst


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,label\n1.jpg,fox\n", "no column path"),
        ("path,label,taken\n1.jpg,fox,2026-05-01\n2.jpg,fox,yesterday\n", "line 3: 'yesterday' is not a time"),
        ("path,label,x,y,width,height\n1.jpg,fox,10,10,200,300\n", "not in shares of the image"),
        ("path,label,x,y,width,height\n1.jpg,fox,a,b,c,d\n", "not four numbers"),
        ("path,label,group\n1.jpg,fox,mammal\n", "group 'mammal' is none of"),
        ("path,label\n", "no labelled images"),
    ],
)
def test_an_invalid_line_is_refused_by_its_number(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_dataset(table(tmp_path, text))


TIMELAPSE = "RootFolder,File,RelativePath,DateTime,DeleteFlag,Species\n"


def test_timelapse_has_a_column_for_the_folder(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        TIMELAPSE
        + "in,1.JPG,Site1\\100RECNX,2026-05-14 21:36:00,false,deer\n"
        + "in,1.JPG,Site2\\100RECNX,14-May-2026 21:36:02,false,fox\n"
        + "in,2.JPG,Site2\\100RECNX,2026-05-14 21:36:04,true,fox\n"
        + "in,3.JPG,,2026-05-14 21:36:00,false,deer\n",
    )
    data = read_dataset(path)
    assert [one.path.relative_to(tmp_path).as_posix() for one in data.samples] == [
        *("Site1/100RECNX/1.JPG", "Site2/100RECNX/1.JPG", "3.JPG"),
    ]
    assert [one.camera for one in data.samples] == ["Site1", "Site2", ""]
    assert len({one.burst for one in data.samples}) == 3
    assert "1 images marked for deletion left out" in data.source


@pytest.mark.parametrize(
    ("heading", "row"),
    [
        ("RelativePath,Species", "a\\b\\1.JPG,deer"),
        ("relative_path,label", "a/b/1.JPG,deer"),
        ("File,RelativePath,Species", "1.JPG,a/b/1.JPG,deer"),
        ("FileName,Directory,Species", "1.JPG,{folder}/a/b,deer"),
        ("path,label", "a\\b\\1.JPG,deer"),
    ],
)
def test_a_path_may_be_divided_over_columns(tmp_path: Path, heading: str, row: str) -> None:
    (one,) = read_dataset(table(tmp_path, f"{heading}\n{row.format(folder=tmp_path)}\n")).samples
    assert one.path == tmp_path / "a" / "b" / "1.JPG"


def test_a_backslash_in_an_existing_name_stays(tmp_path: Path) -> None:
    (tmp_path / "a\\1.jpg").touch()
    (one,) = read_dataset(table(tmp_path, "path,label\na\\1.jpg,fox\n")).samples
    assert one.path.exists()


def test_names_in_two_unicode_forms_are_one_class_one_camera_and_one_file(tmp_path: Path) -> None:
    (tmp_path / "lo\u0308we.jpg").touch()
    rows = "l\u00f6we.jpg,L\u00f6we,h\u00f6he\nlo\u0308we.jpg,Lo\u0308we,ho\u0308he\n"
    data = read_dataset(table(tmp_path, f"path,label,camera\n{rows}"))
    assert {(one.label, one.camera, one.path.exists()) for one in data.samples} == {("L\u00f6we", "h\u00f6he", True)}


def test_date_and_time_may_have_a_column_each(tmp_path: Path) -> None:
    (one,) = read_dataset(table(tmp_path, "File,Species,Date,Time\n1.jpg,fox,2026-05-14,21:36:00\n")).samples
    assert one.taken == datetime(2026, 5, 14, 21, 36)


@pytest.mark.parametrize("nothing", ["NA", "NaN", "NULL", "-", "n/a", "No CV Result"])
def test_cells_for_missing_values_name_no_class(tmp_path: Path, nothing: str) -> None:
    data = read_dataset(
        table(tmp_path, f"path,label,camera,taken,taxon\n1.jpg,{nothing},NA,NA,NA\n2.jpg,fox,NA,NA,NA\n")
    )
    assert [(one.label, one.camera, one.taken, one.taxon) for one in data.samples] == [("fox", "", None, "")]
    assert "1 images of unknown class left out" in data.source


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("first", ["", "sep=;\r\n"])
def test_tables_of_spreadsheets_are_read(tmp_path: Path, encoding: str, first: str) -> None:
    path = tmp_path / "pictures.csv"
    path.write_text(f"{first}path;label;x;y;width;height\n1.jpg;Löwe;0,1;0,2;0,3;0,4\n", encoding=encoding)
    (one,) = read_dataset(path).samples
    assert one.label == "Löwe"
    assert one.box == pytest.approx((0.1, 0.2, 0.3, 0.4))


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("path,label\n1.jpg,Löwe\n".encode("cp1252"), "line 2 is not UTF-8"),
        ("path,label\n1.jpg,fox\n".encode("utf-16-le"), "zero bytes"),
        (b"path,label\n1.jpg,fox,day,night\n", "line 2: it has more cells than the heading"),
        (b"path,label,label\n1.jpg,fox,hare\n", "column label more than once"),
        (b"File,class,order,family\n1.jpg,Mammalia,Carnivora,Felidae\n", "no column label"),
        (b"path,label,taken\n1.jpg,fox,05/01/2026 21:36\n", "do not show which is the month"),
    ],
)
def test_ambiguous_tables_are_refused(tmp_path: Path, raw: bytes, sentence: str) -> None:
    path = tmp_path / "pictures.csv"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=sentence):
        read_dataset(path)


def test_with_columns_of_ranks_class_is_a_rank_and_species_an_epithet(tmp_path: Path) -> None:
    heading = "File,class,order,family,genus,species"
    (one,) = read_dataset(table(tmp_path, f"{heading}\n1.jpg,Mammalia,Carnivora,Felidae,Panthera,uncia\n")).samples
    assert (one.label, one.taxon) == ("Panthera uncia", "Panthera uncia")
    (one,) = read_dataset(
        table(tmp_path, f"{heading},common_name\n1.jpg,Mammalia,Carnivora,Felidae,Panthera,uncia,Snow Leopard\n")
    ).samples
    assert (one.label, one.taxon) == ("Snow Leopard", "Panthera uncia")


INSIGHTS = (
    "project_id,deployment_id,image_id,filename,location,is_blank,identified_by,wi_taxon_id,class,order,family,genus,"
    "species,common_name,uncertainty,timestamp,number_of_objects\n"
)


def insight(deployment: str, name: str, what: str, *, blank: int = 0, by: str = "Ana") -> str:
    address = f"gs://bucket/deployment/{deployment}/{name}"
    return f"7,{deployment},{deployment}-{name},{name},{address},{blank},{by},uuid,{what},,2026-05-14 21:36:00,1\n"


LEOPARD = "Mammalia,Carnivora,Felidae,Panthera,uncia,Snow Leopard"
NO_NAME = ",,,,,"


def test_wildlife_insights_tables_are_read(tmp_path: Path) -> None:
    for place in ("d1", "d2"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "1.JPG").touch()
    path = tmp_path / "images.csv"
    path.write_text(
        INSIGHTS
        + insight("d1", "1.JPG", LEOPARD)
        + insight("d2", "1.JPG", NO_NAME, blank=1)
        + insight("d2", "2.JPG", "Mammalia,Primates,Hominidae,Homo,sapiens,Human-Camera Trapper")
        + insight("d2", "3.JPG", "Mammalia,Carnivora,Felidae,Lynx,lynx,")
        + insight("d2", "4.JPG", ",,,,,No CV Result")
        + insight("d2", "5.JPG", LEOPARD, by="Computer vision")
    )
    data = read_dataset(path)
    assert [(one.label, one.taxon, one.group, one.camera) for one in data.samples] == [
        ("Snow Leopard", "Panthera uncia", "animal", "d1"),
        ("blank", "", "nothing", "d2"),
        ("Human-Camera Trapper", "Homo sapiens", "person", "d2"),
        ("Lynx lynx", "Lynx lynx", "animal", "d2"),
    ]
    assert data.samples[0].path == tmp_path / "d1" / "1.JPG"
    assert data.samples[0].taken == datetime(2026, 5, 14, 21, 36)
    assert "1 rows named by computer vision alone left out; 1 rows of unknown class left out" in data.source


def test_missing_wildlife_insights_images_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "images.csv"
    path.write_text(INSIGHTS + insight("d1", "1.JPG", LEOPARD))
    with pytest.raises(DataError, match=r"Wildlife Insights.*DEPLOYMENT_ID/FILENAME"):
        read_dataset(path)


def test_a_file_name_of_two_deployments_is_used_for_neither(tmp_path: Path) -> None:
    (tmp_path / "1.JPG").touch()
    (tmp_path / "9.JPG").touch()
    path = tmp_path / "images.csv"
    rows = insight("d1", "9.JPG", LEOPARD) + insight("d1", "1.JPG", LEOPARD) + insight("d2", "1.JPG", NO_NAME, blank=1)
    path.write_text(INSIGHTS + rows)
    assert [one.path.exists() for one in read_dataset(path).samples] == [True, False, False]


CELLS = st.sampled_from(["", "NA", "1.jpg", "fox", "0,5", "9e999", "2026-05-01 06:30:00", '"', "a\\b", "true", "\x00"])


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(
        ["path,label,taken,x,y,width,height", TIMELAPSE.strip(), INSIGHTS.strip(), "path;label;camera;burst"]
    ),
    st.lists(st.lists(CELLS | st.text(max_size=4), max_size=8), max_size=5),
)
def test_no_cells_break_the_reader(tmp_path: Path, heading: str, lines: list[list[str]]) -> None:
    path = tmp_path / "pictures.csv"
    text = "\n".join([heading, *(",".join(cells) for cells in lines)])
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(DataError):
        read_dataset(path)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xfe", b"path,label\n", b"sep=;\n"]))
def test_no_bytes_break_the_reader(tmp_path: Path, raw: bytes, begin: bytes) -> None:
    path = tmp_path / "pictures.csv"
    path.write_bytes(begin + raw)
    with contextlib.suppress(DataError):
        read_dataset(path)


def test_a_sample_takes_less_than_2_kb_of_memory(tmp_path: Path) -> None:
    """So 50,000 of them take less than 100 MB."""
    count = 3000
    lines = (f"card/{n:06}.jpg,fox,b{n // 4},ridge-{n % 50},2026-05-01 06:30:00\n" for n in range(count))
    path = table(tmp_path, "path,label,burst,camera,taken\n" + "".join(lines))
    tracemalloc.start()
    data = read_dataset(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(data) == count
    assert peak < 2000 * count


def test_a_table_states_how_much_a_doubtful_image_counts(tmp_path: Path) -> None:
    (tmp_path / "pictures.csv").write_text("path,label,sample weight\na.jpg,fox,0.25\nb.jpg,fox,\n")
    assert [sample.weight for sample in read_dataset(tmp_path / "pictures.csv").samples] == [0.25, 1.0]


@pytest.mark.parametrize("weight", ["0", "-1", "1.5", "much"])
def test_a_weight_that_is_none_is_refused_with_its_line(tmp_path: Path, weight: str) -> None:
    (tmp_path / "pictures.csv").write_text(f"path,label,sample weight\na.jpg,fox,{weight}\n")
    with pytest.raises(DataError, match="line 2"):
        read_dataset(tmp_path / "pictures.csv")
