"""Catalogues of both kinds."""

from tests.unit.dashboard.catalogue.conftest import databases, postgresql, project_engine, server, sqlite_templates

__all__ = ["databases", "postgresql", "project_engine", "server", "sqlite_templates"]
