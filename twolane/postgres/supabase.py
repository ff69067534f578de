"""Supabase's hosts and ports."""

from __future__ import annotations

SESSION, TRANSACTION = 5432, 6543
