"""twolane's engine: what stands behind the commands of a service on Supabase Postgres."""

__version__ = "0.1.0"
