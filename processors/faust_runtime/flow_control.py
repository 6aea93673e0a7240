"""Faust's flow control, changed where it would lose messages after a recovery.

Faust resumes the flow twice when a worker with tables gets partitions: before it reads the changelogs, and once more at
the end of the recovery, after it sought the streams to their committed offsets. Each time it empties the buffers of all
streams. Its fetcher runs from the first time on: on a busy machine messages are read between the seek and the second
time, and these were dropped from the buffers, never processed, and committed with the next message. Here the buffers
are emptied only when the flow had been suspended.

Written for mode-streaming 0.7.1 and faust-streaming 0.15.3;
`tests/unit/processors/faust_runtime/test_library_internals.py` fails when an upgrade changes what is used here.
"""

from mode.utils.queues import FlowControlEvent

__all__ = ["FlowControl"]


class FlowControl(FlowControlEvent):  # type: ignore[misc]
    """Flow control that keeps what was delivered while the flow was active."""

    def resume(self) -> None:
        """Resume the flow, with empty buffers; do nothing where it is active."""
        if not self.is_active():
            super().resume()
