"""What every part of Uncia shares: events, topics, ids, settings, object store, telemetry, the front door."""

__version__ = "0.1.0"
