"""Bursts: frames of one trigger become one verdict, decided by when they were taken, not by when they arrived.

Pure modules (no Kafka, no wall clock, no I/O), each with its invariants in its docstring:

- settings: `config`;
- one frame: `frame_record` (its compact form), `versions` (which uploads count as frames), `camera_bodies` (which
  camera took it), `clock_jumps` (numbered sequences whose clock jumped);
- from frames to bursts: `grouping` (which frames belong together), `state` (what is stored of a camera), `sessions`
  (frames and time in, events out) with `version_update`, `placement`, `regrouping`, `succession`, `lateness` and
  `lifecycle`;
- from bursts to verdicts: `ensemble`, `stacked_ensemble`, `verdict`, `label_sets`;
- around it: `engine` (many cameras), `tick_order` (when a tick may be applied), `state_store` (state as bytes, safe
  against a crash between two writes).

`worker` connects them to the topics.
"""
