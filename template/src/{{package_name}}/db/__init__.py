"""The database: `schema` is what it holds, `session` is how to reach it."""
