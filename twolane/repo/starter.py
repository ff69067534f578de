"""The SQL files of the starter `minimal`."""

from __future__ import annotations

# The SQL files of the starter `minimal`, each with its purpose.
STARTER = {
    "01_extensions_and_vector.sql": "pgvector, in the schema extensions",
    "05_guardrails.sql": "AI quotas and usage; new tables begin with RLS and without grants",
}
