"""The stub of the platform has what a project may build on; what it leaves out is named here."""

from __future__ import annotations

import psycopg
import pytest
from conftest import NewDatabase

# What the platform has and no project's SQL leans on, by reason.
LEFT_OUT = {
    "GoTrue's own work": "flow_state instances oauth_authorizations oauth_client_states"
    " oauth_clients oauth_consents one_time_tokens refresh_tokens schema_migrations mfa_challenges"
    " saml_providers saml_relay_states sso_domains sso_providers webauthn_challenges"
    " webauthn_credentials custom_oauth_providers",
}
# As the documentation writes it: who has a second factor must have used it.
MFA = """
create policy second_factor on public.notes as restrictive to authenticated using (
  array[(select auth.jwt() ->> 'aal')] <@ (
    select case when count(id) > 0 then array['aal2'] else array['aal1', 'aal2'] end
    from auth.mfa_factors where (select auth.uid()) = user_id and status = 'verified'))
"""
BROADCAST = """
create function public.tell() returns trigger language plpgsql security definer
  set search_path = '' as $$ begin
  perform realtime.broadcast_changes(
    'notes:' || coalesce(new.id, old.id), tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
  return null; end $$;
create trigger tell after insert or update or delete on public.notes
  for each row execute function public.tell();
"""


@pytest.fixture
def connection(new_database: NewDatabase, platform: str) -> psycopg.Connection:
    connection = psycopg.connect(new_database(platform), autocommit=True)
    connection.execute("create table public.notes (id int primary key, user_id uuid)")
    return connection


def test_documented_policies_and_triggers_are_taken(connection: psycopg.Connection) -> None:
    with connection:
        connection.execute(MFA)
        connection.execute(
            "create policy downloads on storage.objects for select to authenticated"
            " using (storage.allow_only_operation('object.get_authenticated'))"
        )
        connection.execute(
            "create table public.logins (session uuid references auth.sessions (id),"
            " identity uuid references auth.identities (id))"
        )
        connection.execute(BROADCAST)
        connection.execute("insert into public.notes values (1); delete from public.notes")
        sent = connection.execute(
            "select topic, event, payload ->> 'operation', payload -> 'record' ->> 'id'"
            " from realtime.messages order by event"
        ).fetchall()
        assert sent == [("notes:1", "DELETE", "DELETE", None), ("notes:1", "INSERT", "INSERT", "1")]


def test_an_operation_is_known_with_its_prefix_and_without(connection: psycopg.Connection) -> None:
    with connection:
        for doing, expected, wanted in [
            ("storage.object.sign", "object.sign", True),
            ("object.sign", "storage.object.sign", True),
            ("object.sign", "object.list", False),
            ("object.sign", "", False),
            ("", "object.sign", False),
        ]:
            connection.execute("select set_config('storage.operation', %s, false)", (doing,))
            asked = "select storage.allow_only_operation(%s)"
            assert connection.execute(asked, (expected,)).fetchone() == (wanted,)


def test_tables_of_auth_are_closed_and_what_is_left_out_is_named(
    connection: psycopg.Connection,
) -> None:
    with connection:
        found = connection.execute(
            "select relname, relrowsecurity, has_table_privilege('authenticated', oid, 'select')"
            " from pg_class where relnamespace = 'auth'::regnamespace and relkind = 'r'"
        ).fetchall()
    here = {name for name, _, _ in found}
    assert all(has_rls and not is_open for _, has_rls, is_open in found)
    assert here == {"users", "identities", "sessions", "mfa_factors", "mfa_amr_claims"} | {
        "audit_log_entries"
    }
    assert not here & set(" ".join(LEFT_OUT.values()).split())
