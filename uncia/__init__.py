"""Uncia's kernel, which every package shares: events, topics, topology, ids, settings, object store, telemetry."""

__version__ = "0.1.0"
