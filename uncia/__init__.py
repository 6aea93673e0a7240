"""Modules that all packages of Uncia share: events, topics, topology, ids, settings, object store, telemetry."""

__all__ = ["__version__"]

__version__ = "0.1.0"
