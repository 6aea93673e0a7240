"""Replay: past photographs through other models or settings, beside the live stream and without touching it.

A replay is a name. Everything else follows from it:

- **A namespace of its own**, `replay-<name>` (behind the live one where that has a name): `uncia.settings` puts it
  before every topic and group, so the unchanged workers run in it, on topics and in groups that nobody else has.
- **A description** (`description`), one JSON file replaced atomically, in a folder that also holds the workers' logs:
  which photographs, which model, which settings, and the end of each live upload topic when it was made. These ends
  make the selection a fixed set: going on tomorrow selects what going on today would.
- **The feeder** (`feed`) copies the selected upload events (`selection`) of both live lanes into the namespace's
  backfill topic, partition by partition, keys and order kept, each with a header that names its source. What was
  copied is a gapless beginning of what is to be copied, so the last copy tells where to go on: after a kill -9 nothing
  is lost, and an event that was copied twice has the same ids and changes nothing.
- **The workers** predict-backfill and bursts, as processes (`workers`), nice, with small windows, behind live in
  Triton's queue. They are marked in their environment: the next command ends those that a killed replay left behind.
- **The end** (`progress`): everything was copied, the groups of the namespace have committed the ends of what they
  read, and no burst is open.

`compare` joins the bursts of both worlds by their photographs. `promotion` turns what differs into events that a
reader of the live topic understands: revisions, new ids, superseded ids. Both are pure. Promoting reads the live topic
first and publishes what still differs: to do it twice is to do it once, and after a crash it is simply done again.

Log time in the namespace is the time of the replay: a burst's idle time-out and lateness run as they do in live.
"""
