"""All metrics of the workers. The scraper adds the label `worker`: one process is one worker."""

from prometheus_client import Counter, Gauge, Histogram

#: Messages read and acknowledged; outcome `done` or `dead-letter`.
EVENTS = Counter("uncia_events", "Messages acknowledged", ["topic", "outcome"])

#: Messages confirmed by the broker.
SENDS = Counter("uncia_sends", "Messages sent and confirmed", ["topic"])

#: Sends that failed and were retried.
SEND_RETRIES = Counter("uncia_send_retries", "Sends that failed and were retried", ["topic"])

#: From passing a message to the producer until the broker confirmed it.
SEND_SECONDS = Histogram("uncia_send_seconds", "Time until the broker confirmed a send", ["topic"])

#: Calls that currently wait for a dependency that is down.
WAITING = Gauge("uncia_waiting", "Calls that wait for a dependency that is down", ["dependency"])

#: Dead letters by reason.
DEAD_LETTERS = Counter("uncia_dead_letters", "Messages that can never be processed", ["stage", "reason"])

#: Changes in the store by what intake did with them: `announced`, or the reason why not.
CHANGES = Counter("uncia_intake_changes", "Changes in the store", ["outcome"])

#: Results of predict: `predicted`, or the reason of the rejection.
ANSWERS = Counter("uncia_predict_answers", "Predictions and rejections of uploads", ["outcome"])

#: Frames that arrived after their burst had expired.
LATE_FRAMES = Counter("uncia_bursts_late_frames", "Frames that arrived after their burst had expired")

#: Wall time of one photograph by stage: fetch, metadata, decode, infer, detect, crops (their classification).
STAGE_SECONDS = Histogram(
    "uncia_predict_stage_seconds",
    "Time of one photograph in one stage",
    ["stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)

#: From the upload, by the store's clock, to the result: how long a ranger waits, by lane.
ANSWER_SECONDS = Histogram(
    "uncia_predict_answer_seconds",
    "Time from upload to prediction or rejection",
    ["lane"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
