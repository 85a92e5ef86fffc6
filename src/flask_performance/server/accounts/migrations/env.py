"""Run by Alembic: applies revisions on the connection that `database.upgrade` opened.

A change of the models comes with a new file, `versions/000N_words.py`, whose `down_revision` is
the one before. `test_the_migrations_make_the_tables_of_the_models` prints what is still missing.
A released revision never changes.
"""

from alembic import context

from flask_performance.server.accounts.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite changes a table by copying it.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
