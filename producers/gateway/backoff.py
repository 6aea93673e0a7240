"""The gateway's waits between upload attempts."""

from uncia.backoff import Backoff

STORE_UNAVAILABLE = Backoff(first_s=1, max_s=60)
"""While the store, or the network to it, is unavailable."""

ACCESS_REFUSED = Backoff(first_s=15, max_s=300)
"""While the store refuses access: only a person can correct that."""

ONE_FILE = Backoff(first_s=5, max_s=600)
"""For a single file that cannot be read or stored."""
