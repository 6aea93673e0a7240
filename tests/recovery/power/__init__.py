"""Power cuts: a disk that forgets what was not synced, and the trace of what is synced before an answer."""
