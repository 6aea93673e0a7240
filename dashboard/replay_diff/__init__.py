"""What a replay says differently from live, as one self-contained page.

`python -m uncia.dashboard.replay_diff --output page.html` reads what `uncia replay diff --json` prints from its
standard input, and the photographs from the object store.
"""
