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
    "the Storage service's own work": "migrations prefixes s3_multipart_uploads event_log"
    " s3_multipart_uploads_parts buckets_analytics buckets_vectors vector_indexes"
    " iceberg_namespaces iceberg_tables",
    "Realtime's own work": "subscription schema_migrations",
}
# The same of functions: what the services call of each other, and of their own work.
FUNCTIONS_LEFT_OUT = {
    "the Storage service's own work": "storage.can_insert_object storage.get_common_prefix"
    " storage.list_multipart_uploads_with_delimiter storage.list_objects_with_delimiter"
    " storage.search storage.search_by_timestamp storage.search_v2",
    "Realtime's own work": "realtime.apply_rls realtime.build_prepared_statement_sql realtime.cast"
    " realtime.check_equality_op realtime.is_visible_through_filters realtime.list_changes"
    " realtime.quote_wal2json realtime.subscription_check_filters realtime.to_regrole"
    " realtime.wal2json_escape_identifier",
}
FUNCTIONS_HERE = (
    "auth.email auth.jwt auth.role auth.uid storage.allow_any_operation"
    " storage.allow_only_operation storage.enforce_bucket_name_length storage.extension"
    " storage.filename storage.foldername storage.get_size_by_bucket storage.operation"
    " storage.protect_delete storage.update_updated_at_column realtime.broadcast_changes"
    " realtime.send realtime.send_binary realtime.topic vault.create_secret vault.update_secret"
)
HERE = {
    "auth": "users identities sessions mfa_factors mfa_amr_claims audit_log_entries",
    "storage": "buckets objects",
    "realtime": "messages messages_stand_in",
    "vault": "secrets",
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


SECRET = """
create function public.secret_of(called text) returns text language sql security definer
set search_path = '' as 'select decrypted_secret from vault.decrypted_secrets where name = called'
"""


def test_tables_of_the_platform_are_closed_and_what_is_left_out_is_named(
    connection: psycopg.Connection,
) -> None:
    """Files and messages are open to the API's roles, and closed by RLS."""
    with connection:
        found = connection.execute(
            "select n.nspname, relname, relrowsecurity,"
            " has_table_privilege('authenticated', c.oid, 'select')"
            " from pg_class c join pg_namespace n on n.oid = relnamespace"
            " where nspname = any (%s) and relkind in ('r', 'p')",
            (list(HERE),),
        ).fetchall()
        functions = connection.execute(
            "select pronamespace::regnamespace || '.' || proname from pg_proc"
            " where pronamespace = any (%s::regnamespace[])",
            (list(HERE),),
        ).fetchall()
    here = {space: {name for each, name, _, _ in found if each == space} for space in HERE}
    assert here == {space: set(names.split()) for space, names in HERE.items()}
    assert all(has_rls for space, _, has_rls, _ in found if space != "vault")
    assert not any(is_open for space, _, _, is_open in found if space in ("auth", "vault"))
    left_out = set(" ".join(LEFT_OUT.values()).split())
    assert not {name for _, name, _, _ in found} & left_out
    assert {name for (name,) in functions} == set(FUNCTIONS_HERE.split())
    assert not {name for (name,) in functions} & set(" ".join(FUNCTIONS_LEFT_OUT.values()).split())


def test_secrets_are_kept_and_the_api_reads_none(connection: psycopg.Connection) -> None:
    with connection:
        connection.execute("select vault.create_secret('s3cret', 'key', 'what for')")
        connection.execute(SECRET)
        connection.execute("select vault.update_secret(id, new_secret => 'new') from vault.secrets")
        assert connection.execute("select public.secret_of('key')").fetchone() == ("new",)
        assert not connection.execute("select * from storage.get_size_by_bucket()").fetchall()
        connection.execute("set role authenticated")
        for statement in ("table vault.decrypted_secrets", "select vault.create_secret('x')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_files_are_deleted_by_the_service_alone_and_messages_may_be_binary(
    connection: psycopg.Connection,
) -> None:
    with connection:
        connection.execute("insert into storage.buckets (id, name) values ('b', 'b')")
        connection.execute("insert into storage.objects (bucket_id, name) values ('b', 'a/1.txt')")
        for table in ("objects", "buckets"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="Use the Storage API"):
                connection.execute(f"delete from storage.{table}".encode())
        connection.execute("set storage.allow_delete_query = 'true'")
        versions = "archived_at is null and not is_versioned and not is_delete_marker"
        deleted = connection.execute(
            f"delete from storage.objects returning {versions}".encode()
        ).fetchone()
        assert deleted == (True,)
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("update storage.buckets set versioning_status = 'x'")
        with pytest.raises(psycopg.errors.RaiseException, match="100 characters"):
            connection.execute("update storage.buckets set name = repeat('b', 101)")
        connection.execute("select realtime.send_binary('\\x01', 'e', 'topic')")
        sent = connection.execute("select binary_payload, payload from realtime.messages")
        assert sent.fetchall() == [(b"\x01", None)]


def test_roles_inherit_and_postgres_gives_on_what_it_may_there(
    connection: psycopg.Connection,
) -> None:
    """A role that a project makes and grants to `authenticated` is the API's."""
    with connection:
        found = connection.execute(
            "select rolname, rolinherit from pg_roles"
            " where rolname in ('anon', 'authenticated', 'service_role', 'authenticator')"
            " order by 1"
        ).fetchall()
        assert found == [
            ("anon", True),
            ("authenticated", True),
            ("authenticator", False),
            ("service_role", True),
        ]
        given = connection.execute(
            "select oid::regclass::text, string_agg(privilege_type, ' ' order by privilege_type)"
            " from pg_class cross join aclexplode(relacl)"
            " where relnamespace in ('auth'::regnamespace, 'storage'::regnamespace)"
            " and relname in ('users', 'sessions', 'objects') and is_grantable"
            " and privilege_type in ('SELECT', 'INSERT') group by 1"
        ).fetchall()
        assert dict(given) == {
            "auth.users": "SELECT",
            "auth.sessions": "SELECT",
            "storage.objects": "INSERT SELECT",
        }
