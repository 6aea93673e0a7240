"""What syncing costs, as ratios."""

from benchmarks.sync_writes import summary, table

SYNCED = {
    "put_s": [0.002, 0.004],
    "put_at_once_s": [0.02],
    "puts_per_s": [90.0],
    "answered_per_s": [9.0],
    "message_s": [0.003],
}
UNSYNCED = {
    "put_s": [0.001, 0.004],
    "put_at_once_s": [0.02],
    "puts_per_s": [100.0],
    "answered_per_s": [9.0],
    "message_s": [0.001],
}


def test_each_figure_stands_beside_the_one_without_and_their_ratio() -> None:
    found = summary(SYNCED, UNSYNCED)
    assert (found["put_p50_ms_synced"], found["put_p50_ms_unsynced"], found["put_p50_ms_ratio"]) == (2.0, 1.0, 2.0)
    assert found["put_p95_ms_ratio"] == 1.0
    assert found["puts_per_s_ratio"] == 0.9


def test_the_table_shows_all_of_them() -> None:
    lines = table(summary(SYNCED, UNSYNCED)).splitlines()
    assert len(lines) == 2 + 8
    assert "| PUTs a second, 8 at once | 90 | 100 | 0.90 |" in lines
    assert "| a message to Kafka, `acks=all`, p50 | 3 ms | 1 ms | 3.00 |" in lines
