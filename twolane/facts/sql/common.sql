-- What the sections share: whose an object is, and the relations, types and sequences by name.
with
-- What an extension brought along belongs to it; the extension itself is the fact. Likewise the
-- constructors and casts that Postgres makes for a range type.
member as materialized (
    select classid, objid from pg_catalog.pg_depend
    where (deptype = 'e' and refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass)
        or (deptype = 'i' and refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
            and classid in ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_cast'::pg_catalog.regclass))
),
platform_role as materialized (
    select oid from pg_catalog.pg_roles
    where rolname in ('authenticator', 'dashboard_user', 'pgbouncer') or rolname like 'supabase\_%'
),
-- Schemas with what extensions brought.
extended (oid) as materialized (
    select extnamespace from pg_catalog.pg_extension
    union
    select c.relnamespace from pg_catalog.pg_class c
    join member m on m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and m.objid = c.oid
    union
    select p.pronamespace from pg_catalog.pg_proc p
    join member m on m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and m.objid = p.oid
),
-- What tells the platform's schema from one of the same name, where a restore changed its owner: a
-- column of a relation, a function, or both, as a row says.
known_by (nspname, relname, attname, proname) as (
    values
        ('auth', 'users', 'instance_id', 'uid'), ('storage', 'objects', 'bucket_id', 'foldername'),
        ('realtime', 'messages', 'topic', 'broadcast_changes'), ('realtime', 'subscription', 'claims', null),
        ('graphql_public', null, null, 'graphql'), ('graphql', null, null, 'resolve'),
        ('pgbouncer', null, null, 'get_auth'), ('supabase_functions', 'hooks', 'hook_table_id', null),
        ('supabase_functions', null, null, 'http_request'), ('supabase_migrations', 'seed_files', 'path', null),
        ('supabase_migrations', 'schema_migrations', 'version', null)
),
-- A schema is the platform's by its name, and by its owner or what is in it.
schemas as materialized (
    select
        n.*, pg_catalog.quote_ident(n.nspname) as name,
        case
            when n.nspname = 'twolane' then true
            when n.nspname in ('extensions', 'cron', 'net', 'pgmq', 'pgsodium', 'pgsodium_masks', 'vault')
                and n.oid in (select oid from extended) then true
            when n.nspname = 'extensions' then not exists (
                select from pg_catalog.pg_class c where c.relnamespace = n.oid)
            when n.nspname = any (array[
                '_analytics', '_realtime', '_supavisor', 'auth', 'cron', 'graphql', 'graphql_public',
                'net', 'pgbouncer', 'pgmq', 'pgsodium', 'pgsodium_masks', 'realtime', 'storage', 'vault'
            ]) or n.nspname like 'supabase\_%' then
                n.nspowner in (select oid from platform_role)
                or (n.nspname in ('supabase_functions', 'supabase_migrations')
                    and n.oid not in (
                        select relnamespace from pg_catalog.pg_class union all
                        select pronamespace from pg_catalog.pg_proc))
                or exists (
                    select from known_by k
                    where k.nspname = n.nspname
                        and (k.relname is null or exists (
                            select from pg_catalog.pg_class c
                            join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = k.attname
                            where c.relnamespace = n.oid and c.relname = k.relname))
                        and (k.proname is null or exists (
                            select from pg_catalog.pg_proc p
                            where p.pronamespace = n.oid and p.proname = k.proname)))
            else false
        end as is_platform
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and n.oid not in (select objid from member where classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass)
),
relation as materialized (
    select
        c.*, s.name || '.' || pg_catalog.quote_ident(c.relname) as name, s.is_platform, s.nspname,
        c.oid in (select objid from member where classid = 'pg_catalog.pg_class'::pg_catalog.regclass) as is_member
    from pg_catalog.pg_class c
    join schemas s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'c')
),
user_relation as materialized (select * from relation where not is_platform and not is_member),
-- Of foreign tables (0) and their columns. Keys of services may stand among them: what is not known
-- to be harmless is a digest.
foreign_options (relation, attnum, options) as materialized (
    select t.relation, t.attnum, pg_catalog.json_agg(
        case
            when pg_catalog.split_part(o, '=', 1) in (
                'name', 'schema_name', 'table_name', 'column_name', 'schema', 'table', 'object', 'filename',
                'format', 'header', 'delimiter', 'fetch_size', 'batch_size', 'updatable', 'truncatable',
                'use_remote_estimate', 'async_capable', 'rowid_column') then o
            else pg_catalog.split_part(o, '=', 1) || '=sha256:'
                || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(o, 'UTF8')), 'hex')
        end order by o collate "C")
    from (
        select ftrelid, 0, ftoptions from pg_catalog.pg_foreign_table
        union all
        select a.attrelid, a.attnum, a.attfdwoptions
        from user_relation r
        join pg_catalog.pg_attribute a on a.attrelid = r.oid
        where r.relkind = 'f'
    ) t (relation, attnum, options)
    cross join lateral pg_catalog.unnest(t.options) o
    group by t.relation, t.attnum
),
user_type as materialized (
    select t.*, s.name || '.' || pg_catalog.quote_ident(t.typname) as name
    from pg_catalog.pg_type t
    join schemas s on s.oid = t.typnamespace and not s.is_platform
    where t.oid not in (select objid from member where classid = 'pg_catalog.pg_type'::pg_catalog.regclass)
),
user_family as materialized (
    select * from pg_catalog.pg_opfamily
    where oid not in (select objid from member where classid = 'pg_catalog.pg_opfamily'::pg_catalog.regclass)
),
-- A sequence hangs on its column: inside an identity ('i'), or merely owned by it ('a').
column_sequence as materialized (
    select d.objid as sequence, d.refobjid as relation, d.refobjsubid as attnum, d.deptype
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjsubid > 0
        and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i')
),
sequence as materialized (
    select
        r.oid, r.name, r.relowner, r.relacl, c.deptype, c.relation, c.attnum,
        pg_catalog.json_build_object(
            'sequence', case c.deptype when 'i' then r.name end,
            'type', pg_catalog.format_type(s.seqtypid, null), 'start', s.seqstart, 'increment', s.seqincrement,
            'min', s.seqmin, 'max', s.seqmax, 'cache', s.seqcache, 'cycle', nullif(s.seqcycle, false),
            'unlogged', nullif(r.relpersistence = 'u', false),
            'owned_by', case c.deptype when 'a' then c.relation::pg_catalog.regclass || '.'
                || pg_catalog.quote_ident(a.attname) end
        ) as options
    from user_relation r
    join pg_catalog.pg_sequence s on s.seqrelid = r.oid
    left join column_sequence c on c.sequence = r.oid
    left join pg_catalog.pg_attribute a on a.attrelid = c.relation and a.attnum = c.attnum
),
user_index as materialized (
    select
        x.*, r.name || '.' || pg_catalog.quote_ident(c.relname) as name, c.relispartition, c.reloptions,
            c.reltablespace,
        case when x.indexprs is not null then (
            select pg_catalog.json_agg(pg_catalog.json_build_array(attnum, attstattarget)
                order by attnum)::pg_catalog.text
            from pg_catalog.pg_attribute where attrelid = x.indexrelid and attstattarget >= 0) end as targets
    from pg_catalog.pg_index x
    join user_relation r on r.oid = x.indrelid
    join pg_catalog.pg_class c on c.oid = x.indexrelid
),
-- Parts of a partition that differ from the same part of its parent.
own_index as materialized (
    select i.indexrelid
    from user_index i
    join pg_catalog.pg_inherits h on h.inhrelid = i.indexrelid
    join user_index p on p.indexrelid = h.inhparent
    where i.relispartition
        and (i.reloptions, i.reltablespace, i.indisclustered, i.indisreplident, i.indisvalid, i.targets)
        is distinct from (p.reloptions, p.reltablespace, p.indisclustered, p.indisreplident, p.indisvalid, p.targets)
),
own_trigger as materialized (
    select t.oid, t.tgconstraint, t.tgisinternal
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_trigger p on p.oid = t.tgparentid
    where t.tgenabled <> p.tgenabled
),
own_constraint (oid) as materialized (
    select oid from pg_catalog.pg_constraint where conindid in (select indexrelid from own_index)
    union all
    select tgconstraint from own_trigger where tgisinternal
    union all
    select c.oid
    from pg_catalog.pg_inherits h
    join pg_catalog.pg_constraint c on c.conrelid = h.inhrelid
    join pg_catalog.pg_constraint p
        on p.conrelid = h.inhparent and (p.oid = c.conparentid or (c.contype, c.conname) = ('c', p.conname))
    where (c.convalidated, pg_catalog.to_jsonb(c) ->> 'conenforced')
        is distinct from (p.convalidated, pg_catalog.to_jsonb(p) ->> 'conenforced')
),
-- The triggers that keep a foreign key or a deferrable key, where they are not as Postgres made them.
key_triggers as materialized (
    select
        tgconstraint,
        pg_catalog.json_agg(
            pg_catalog.json_build_array(tgrelid::pg_catalog.regclass, tgfoid::pg_catalog.regproc, tgenabled)
            order by tgrelid::pg_catalog.regclass::pg_catalog.text collate "C",
                tgfoid::pg_catalog.regproc::pg_catalog.text collate "C") as triggers
    from pg_catalog.pg_trigger
    where tgisinternal and tgenabled <> 'O'
    group by tgconstraint
),
