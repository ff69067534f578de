"""Alembic's environment: the app's metadata, on a connection that twolane gives."""

from twolane.migrations.environment import app_metadata, run

run(target_metadata=app_metadata())  # AppBase.metadata, and nothing else (G04)
