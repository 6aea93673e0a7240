"""Every metric of the workers. `worker` is added by whoever scrapes: one process is one worker."""

from prometheus_client import Counter, Gauge, Histogram

#: Messages read and settled; outcome `done` or `dead-letter`.
EVENTS = Counter("uncia_events", "Messages settled", ["topic", "outcome"])

#: Messages confirmed by the broker.
SENDS = Counter("uncia_sends", "Messages sent and confirmed", ["topic"])

#: Sends that failed and were tried again.
SEND_RETRIES = Counter("uncia_send_retries", "Sends tried again", ["topic"])

#: From handing a message to the producer until the broker confirmed it.
SEND_SECONDS = Histogram("uncia_send_seconds", "Time to a confirmed send", ["topic"])

#: How many calls wait, this moment, for a dependency that is down.
WAITING = Gauge("uncia_waiting", "Calls that wait for a dependency", ["dependency"])

#: Dead letters by the reason they carry.
DEAD_LETTERS = Counter("uncia_dead_letters", "Messages that can never be processed", ["stage", "reason"])

#: What intake did with each change in the store: `announced`, or why not.
CHANGES = Counter("uncia_intake_changes", "Changes in the store", ["outcome"])

#: Predict's answers: `predicted`, or the reason of the rejection.
ANSWERS = Counter("uncia_predict_answers", "Answers to uploads", ["outcome"])

#: Frames that came after their burst could still be revised.
LATE_FRAMES = Counter("uncia_bursts_late_frames", "Frames too late for their burst")

#: CPU and waiting of one photograph by stage: fetch, metadata, decode, infer.
STAGE_SECONDS = Histogram(
    "uncia_predict_stage_seconds",
    "Time of one photograph in one stage",
    ["stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)

#: From the store's clock to the answer: what a ranger waits for, by lane.
ANSWER_SECONDS = Histogram(
    "uncia_predict_answer_seconds",
    "From upload to answer",
    ["lane"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
