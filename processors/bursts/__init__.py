"""Bursts: frames of one trigger become one verdict, decided by when they were taken, not by when they arrived.

Pure modules (no Kafka, no wall clock, no I/O), each with its invariants in its docstring: `rules` (settings),
`frames` (one frame, compactly), `versions` (which uploads are frames), `bodies` (which camera took them),
`clock_jumps` (numbered sequences whose clock jumped), `grouping` (which frames belong together), `state` (what a
camera's story needs to be kept), `sessions` (frames and time in, events out), `ensemble` and `verdict` (what a burst
shows), `clock` (when a tick may be applied), `records` (state as bytes, safe against a crash between two writes).
`worker` joins them to the topics.
"""
