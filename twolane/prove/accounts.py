"""A user as the platform keeps them: their row, their token, a file of theirs. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twolane.prove.choice import Row
from twolane.sql import literal


def claims(user: str, row: Mapping[str, str | None]) -> dict[str, Any]:
    """The claims of a user's token, as the platform writes them. row: theirs in auth.users."""
    return {
        "sub": user,
        "aud": "authenticated",
        "role": "authenticated",
        "email": row.get("email") or "",
        "phone": row.get("phone") or "",
        "app_metadata": json.loads(row.get("raw_app_meta_data") or "{}"),
        "user_metadata": json.loads(row.get("raw_user_meta_data") or "{}"),
        "aal": "aal2",
        "amr": [{"method": "totp", "timestamp": 1767225600}],
        "session_id": "5e551011-7e57-4000-8000-000000000001",
        "is_anonymous": False,
    }


def signed_in(claims: Mapping[str, Any]) -> str:
    """SQL that sets these claims until the transaction ends, without a change of role."""
    return (
        "select pg_catalog.set_config('request.jwt.claims', "
        f"{literal(json.dumps(claims) if claims else '')}, true), "
        "pg_catalog.set_config('request.jwt.claim.sub', "
        f"{literal(str(claims.get('sub', '')))}, true)"
    )


def new_file(user: str) -> Row:
    """As the Storage service keeps a file, in whatever bucket there is."""
    return {
        "name": f"{literal(f'{user}/')} || gen_random_uuid()",
        "owner": f"{literal(user)}::uuid",
        "owner_id": literal(user),
    }


def new_user(user: str, metadata: Mapping[str, Any]) -> Row:
    """Their row in auth.users, with what they wrote into their own metadata."""
    return {
        "id": f"{literal(user)}::pg_catalog.uuid",
        "aud": "'authenticated'",
        "role": "'authenticated'",
        "email": literal(f"{user}@example.com"),
        "raw_app_meta_data": '\'{"provider": "email", "providers": ["email"]}\'',
        **({"raw_user_meta_data": literal(json.dumps(metadata))} if metadata else {}),
    }
