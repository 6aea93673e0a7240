"""Runs the migrations on the connection that `uncia.dashboard.catalogue.schema` passes; Alembic executes this file."""

from alembic import context

from uncia.dashboard.catalogue.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=context.config.attributes["version_table"],
    # SQLite cannot alter most of a table: Alembic copies it.
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
