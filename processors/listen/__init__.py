"""Sound recordings: windows are classified, and grouped into calls by the rule that groups photographs into bursts.

- `calls`: windows in which a class was heard become calls. Pure.
- `analysis`: one recording, from the store to its events.
- `worker`: connects it to the topics.
"""
