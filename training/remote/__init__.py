"""Trains on another machine as if it were this one: copies what is missing there, follows the run, fetches the package.

`run_state` decides and `plan` lists, both without input or output; `transports` reach the other machine; `agent` is
what runs there; `runner` connects them.
"""
