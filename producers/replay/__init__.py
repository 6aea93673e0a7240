"""Replay: past photographs through other models or settings, without touching the live system.

A replay is identified by its name. Everything else follows from it:

- **A namespace**, `replay-<name>` (prefixed with the live namespace where that has a name): `uncia.settings` puts it
  before every topic and group, so that unchanged workers run in it, on topics and in groups of their own.
- **A description** (`description`), one JSON file that is replaced atomically, in a folder with the logs of the
  workers: which photographs, which model, which settings, and the end offset of each live upload topic when the replay
  was created. These offsets make the selection a fixed set: resuming tomorrow selects the same photographs as today.
- **The feeder** (`feed`) copies the selected upload events (`selection`) of both live lanes into the backfill topic of
  the namespace, partition by partition, with keys and in order. Each copy carries a header that names its source. The
  copies in a partition are always a gapless prefix of all that have to be copied, so the last copy shows where to
  resume: a kill -9 loses nothing, and an event that was copied twice has the same ids and changes nothing.
- **Second looks** of the live system at these cameras are copied too, before the workers start: the bursts of the
  replay have them as those of the live system do, and a promotion takes none back. They do not count where the replay
  has another version of the detector.
- **The workers** predict-backfill and bursts run as child processes (`worker_processes`) with a low priority and small
  windows, behind live requests in Triton's queue. A mark in their environment lets the next command end those that a
  killed replay has left.
- **The end** (`progress`): everything is copied, the groups of the namespace have committed the ends of the topics that
  they read, and no burst is open.

`compare` joins the bursts of the replay and of the live system by their photographs. `promotion` turns the differences
into events that a subscriber of the live topic understands: revisions, new ids, superseded ids. Both are pure.
Promotion reads the live topic first and publishes what still differs: it is idempotent, and is repeated after a crash.

Log time in the namespace is the time of the replay: idle timeout and lateness of a burst elapse as they do live.
"""
