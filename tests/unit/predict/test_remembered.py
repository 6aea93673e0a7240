"""Upload ids that were answered lately."""

from processors.predict.worker import Remembered


def test_the_oldest_is_forgotten_first() -> None:
    remembered = Remembered(2)
    for upload_id in ("a", "b", "a", "c"):
        remembered.add(upload_id)
    assert [upload_id in remembered for upload_id in "abc"] == [True, False, True]


def test_what_may_be_stored_anew_can_be_forgotten() -> None:
    remembered = Remembered(2)
    remembered.add("a")
    remembered.discard("a")
    remembered.discard("never known")
    assert "a" not in remembered
