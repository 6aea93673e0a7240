"""Databases of both kinds, as for the catalogue."""

from tests.unit.dashboard.catalogue.conftest import databases, new_url, postgresql, server, sqlite_templates

__all__ = ["databases", "new_url", "postgresql", "server", "sqlite_templates"]
