-- The tenant column: every row of every tenant-scoped table belongs to one user.
--
--   user_id uuid not null references auth.users (id) on delete cascade, and an index on it
--
-- Cascade, so that deleting a user deletes what is theirs: nothing personal stays behind.
--
-- A database that had these tables before it had tenants keeps all its rows. Nothing is deleted and
-- no owner is guessed; table by table, parents first, a row without an owner gets
--
--   1. the owner of the row it belongs to: an interaction that of its contact, a message that of
--      its thread, an embedding that of its source, …
--   2. else the user that the setting `twolane.default_user_id` names, where it is set:
--
--        PGOPTIONS='-c twolane.default_user_id=<uuid>' \
--          invoke db.apply --file 01b_add_user_tenant_columns.sql
--
--      or, where the file is run by hand: psql -1 -c "set twolane.default_user_id = '<uuid>'" -f …
--   3. else none: the file stops, names the tables and how many rows of each, and the transaction
--      leaves everything as it was. To share rows out among users, add the column and fill it
--      beforehand (parents suffice), then run this file, which completes it:
--
--        alter table public.contacts add column if not exists user_id uuid;
--        update public.contacts set user_id = '<uuid>' where …;
--
-- updated_at moves for the rows that are given an owner: they did change. On large tables expect a
-- lock for as long as filling and checking the column takes; afterwards the file is a no-op.

do $$
declare
  default_user_id constant uuid := nullif(current_setting('twolane.default_user_id', true), '');
  tenant_table record;
  given bigint;
  ownerless bigint;
  ownerless_tables text[] := '{}';
  remedy text := '';
begin
  for tenant_table in
    select
      scoped.name,
      scoped.inherited_owner,
      format('public.%I', scoped.name)::regclass as oid,
      user_id.attnum is not null as has_column,
      coalesce(user_id.attnotnull, false) as is_complete
    from (
      values
        -- Parents first: children inherit from them.
        (1, 'contacts', null),
        (2, 'raw_events', null),
        (3, 'jobs', null),
        (4, 'interactions', $owner$
          (select user_id from public.contacts where id = child.contact_id)
        $owner$),
        (5, 'documents', $owner$
          coalesce(
            (select user_id from public.contacts where id = child.contact_id),
            (select user_id from public.raw_events where id = child.raw_event_id)
          )
        $owner$),
        (6, 'threads', $owner$
          (select user_id from public.contacts where id = child.contact_id)
        $owner$),
        (7, 'messages', $owner$
          (select user_id from public.threads where id = child.thread_id)
        $owner$),
        (8, 'tool_invocations', $owner$
          (select user_id from public.messages where id = child.message_id)
        $owner$),
        (9, 'embeddings', $owner$
          case child.source_kind
            when 'contact' then
              (select user_id from public.contacts where id = child.source_id)
            when 'interaction' then
              (select user_id from public.interactions where id = child.source_id)
            when 'document' then
              (select user_id from public.documents where id = child.source_id)
            when 'message' then
              (select user_id from public.messages where id = child.source_id)
          end
        $owner$),
        (10, 'ai_insights', $owner$
          coalesce(
            (select user_id from public.contacts where id = child.contact_id),
            (select user_id from public.embeddings where id = child.embedding_id)
          )
        $owner$)
    ) as scoped (position, name, inherited_owner)
    left join pg_attribute as user_id
    on user_id.attrelid = format('public.%I', scoped.name)::regclass
    and user_id.attname = 'user_id' and not user_id.attisdropped
    order by scoped.position
  loop
    if not tenant_table.has_column then
      execute format('alter table %s add column user_id uuid', tenant_table.oid);
    end if;

    -- An index of its own: policies filter by the owner in every query.
    if to_regclass(format('public.%I', tenant_table.name || '_user_id_idx')) is null then
      execute format(
        'create index %I on %s (user_id)', tenant_table.name || '_user_id_idx', tenant_table.oid
      );
    end if;

    continue when tenant_table.is_complete;

    if tenant_table.inherited_owner is not null then
      execute format(
        'update %s as child set user_id = %s where child.user_id is null and %2$s is not null',
        tenant_table.oid, tenant_table.inherited_owner
      );
      get diagnostics given = row_count;
      if given > 0 then
        raise notice '%: % row(s) inherit the owner of what they belong to', tenant_table.oid, given;
      end if;
    end if;

    if default_user_id is not null then
      execute format('update %s set user_id = $1 where user_id is null', tenant_table.oid)
      using default_user_id;
      get diagnostics given = row_count;
      if given > 0 then
        raise notice '%: % row(s) given to the default user', tenant_table.oid, given;
      end if;
    end if;

    execute format('select count(*) from %s where user_id is null', tenant_table.oid)
    into ownerless;
    if ownerless > 0 then
      ownerless_tables :=
        ownerless_tables || format('%s in public.%I', ownerless, tenant_table.name);
      remedy := remedy || format(
        $remedy$
  alter table public.%1$I add column if not exists user_id uuid;
  update public.%1$I set user_id = '<uuid>' where user_id is null;$remedy$,
        tenant_table.name
      );
    end if;
  end loop;

  if ownerless_tables <> '{}' then
    raise exception using
      errcode = 'not_null_violation',
      message = 'rows without an owner: ' || array_to_string(ownerless_tables, ', '),
      detail = 'Every row needs a user_id from auth.users. Nothing was changed or deleted.',
      hint = $hint$To give them all to one user of auth.users, name the user in a setting:
  PGOPTIONS='-c twolane.default_user_id=<uuid>' invoke db.apply --file 01b_add_user_tenant_columns.sql
To choose row by row, run this with your own conditions (what belongs to a row that has an owner
inherits it, so the parents may suffice), then the file again:$hint$ || remedy;
  end if;
end $$;

-- Every row has its owner now: from here on it must.
do $$
declare
  tenant_table text;
begin
  foreach tenant_table in array array[
    'contacts', 'raw_events', 'jobs', 'interactions', 'documents', 'threads', 'messages',
    'tool_invocations', 'embeddings', 'ai_insights'
  ]
  loop
    if exists (
      select from pg_attribute
      where attrelid = format('public.%I', tenant_table)::regclass
      and attname = 'user_id' and not attnotnull
    ) then
      execute format('alter table public.%I alter column user_id set not null', tenant_table);
    end if;

    if not exists (
      select from pg_constraint
      join pg_attribute on attrelid = conrelid and conkey = array[attnum]
      where conrelid = format('public.%I', tenant_table)::regclass
      and confrelid = 'auth.users'::regclass and attname = 'user_id'
    ) then
      execute format(
        'alter table public.%I add constraint %I '
        'foreign key (user_id) references auth.users (id) on delete cascade',
        tenant_table, tenant_table || '_user_id_fkey'
      );
    end if;
  end loop;
end $$;

-- What was unique in the database is from now on unique for each tenant. That is the weaker demand,
-- so no row that is there can offend against it.
do $$
begin
  if to_regclass('public.contacts_user_id_email_key') is null then
    alter table public.contacts drop constraint if exists contacts_email_key;
    alter table public.contacts
    add constraint contacts_user_id_email_key unique (user_id, email);
  end if;

  if to_regclass('public.raw_events_user_id_source_external_id_key') is null then
    alter table public.raw_events drop constraint if exists raw_events_source_external_id_key;
    alter table public.raw_events
    add constraint raw_events_user_id_source_external_id_key unique (user_id, source, external_id);
  end if;
end $$;
