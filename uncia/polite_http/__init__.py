"""HTTP requests to other people's servers: an interval per host, `Retry-After`, `robots.txt`, no private address.

Used by `uncia harvest` and by the worker `harvest`, which fetches for it on other machines.
"""
