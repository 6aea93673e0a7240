"""The gateway's delays between upload attempts."""

from uncia.backoff import Backoff

STORE_DOWN = Backoff(first_s=1, max_s=60)
"""The store, or the network to it, is down."""
REFUSED = Backoff(first_s=15, max_s=300)
"""The store refuses the gateway's credentials: only a person can fix that."""
ONE_FILE = Backoff(first_s=5, max_s=600)
"""This one file cannot be read or stored; others can."""
