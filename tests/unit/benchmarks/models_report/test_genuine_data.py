"""Tables of genuine photographs: what is read, and what a named taxon is compared with."""

from pathlib import Path

from benchmarks.models_report.genuine_data import LINEAGES, genuine_datasets, lineage

HEADER = "file,label,species,sequence_id,frame,camera,boxes_xywh"


def test_unsure_photographs_are_left_out_and_each_box_is_a_sample(tmp_path: Path) -> None:
    folder = tmp_path / "ridge"
    folder.mkdir()
    rows = [
        '1.jpg,animal,Ocelot,s1,1,north,"[[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.1, 0.1]]"',
        "2.jpg,blank,,s1,2,north,",
        "3.jpg,unsure,,s1,3,north,",
    ]
    (folder / "manifest.csv").write_text("\n".join([HEADER, *rows]))
    samples = genuine_datasets(tmp_path)["ridge"].samples
    assert [(sample.path.name, sample.group) for sample in samples] == [
        ("1.jpg", "animal"),
        ("1.jpg", "animal"),
        ("2.jpg", "nothing"),
    ]
    assert samples[0].taken is not None and samples[2].taken is not None and samples[0].taken < samples[2].taken


def test_there_are_no_data_sets_without_a_copy(tmp_path: Path) -> None:
    assert genuine_datasets(tmp_path / "none") == {}


def test_a_lineage_goes_up_to_the_kingdom() -> None:
    assert {"Leopardus pardalis", "Felidae", "Carnivora", "Mammalia", "Animalia"} <= lineage("Ocelot")
    assert "Mammalia" not in lineage("Great_Tinamou")
    assert lineage("x") == frozenset()
    assert all(lineage(name) for name in LINEAGES)
