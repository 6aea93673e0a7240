"""The cost of synchronous writes, as ratios."""

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


def test_the_summary_has_both_figures_and_their_ratio() -> None:
    found = summary(SYNCED, UNSYNCED)
    assert (found["put_p50_ms_synced"], found["put_p50_ms_unsynced"], found["put_p50_ms_ratio"]) == (2.0, 1.0, 2.0)
    assert found["put_p95_ms_ratio"] == 1.0
    assert found["puts_per_s_ratio"] == 0.9


def test_the_table_shows_all_figures() -> None:
    lines = table(summary(SYNCED, UNSYNCED)).splitlines()
    assert len(lines) == 2 + 8
    assert "| PUTs per second, 8 concurrent | 90 | 100 | 0.90 |" in lines
    assert "| message to Kafka, `acks=all`, p50 | 3 ms | 1 ms | 3.00 |" in lines
