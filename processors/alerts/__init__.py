"""Alerts: from verdicts and a file of rules to `camera.alert.raised.v1`.

- `rule_file`: the file, with the line and column of a mistake;
- `rules`: a rule, and whether a burst matches it; pure;
- `rule_index`: the rules that a burst can match at all, of thousands;
- `grouping`: which alert a matching burst belongs to, and what changes; pure;
- `silence`, `moved`, `drift`: alerts about a camera itself, the last two by `camera_view` and `score_history`; pure;
- `state_store`: a camera's alerts as bytes;
- `worker`: the loop.
"""
