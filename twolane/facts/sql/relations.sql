-- Schemas, extensions, and relations with their columns.
select 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid, 0, 'schema', name, nspowner, 'n'::pg_catalog."char", nspacl,
    pg_catalog.json_build_object()
from schemas where not is_platform
union all
select 'pg_catalog.pg_extension'::pg_catalog.regclass, e.oid, 0, 'extension', pg_catalog.quote_ident(extname),
    null, null, null, pg_catalog.json_build_object('schema', n.nspname)
from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = extnamespace
where not (
    extname in ('orioledb', 'pg_graphql', 'pg_stat_statements', 'pgcrypto', 'pgjwt', 'pgsodium',
        'plpgsql', 'supabase_vault', 'uuid-ossp')
    and nspname in ('extensions', 'graphql', 'pg_catalog', 'pgsodium', 'vault'))
union all
select 'pg_catalog.pg_class'::pg_catalog.regclass, r.oid, 0, case r.relkind when 'f' then 'foreign table'
    else 'table' end,
    r.name, r.relowner, 'r', r.relacl,
    pg_catalog.json_build_object(
        'unlogged', nullif(r.relpersistence = 'u', false),
        'partition_by', pg_catalog.pg_get_partkeydef(r.oid),
        'bound', pg_catalog.pg_get_expr(r.relpartbound, r.oid),
        'inherits', (
            select pg_catalog.json_agg(inhparent::pg_catalog.regclass order by inhseqno)
            from pg_catalog.pg_inherits where inhrelid = r.oid),
        'of_type', nullif(r.reloftype, 0)::pg_catalog.regtype,
        'options', (select pg_catalog.json_agg(o order by o collate "C") from pg_catalog.unnest(r.reloptions) o),
        'toast_options', (
            select pg_catalog.json_agg(o order by o collate "C") from pg_catalog.pg_class t,
                pg_catalog.unnest(t.reloptions) o
            where t.oid = r.reltoastrelid),
        'access_method', (select amname from pg_catalog.pg_am where oid = r.relam and amname <> 'heap'),
        'tablespace', (select spcname from pg_catalog.pg_tablespace where oid = r.reltablespace),
        'replica_identity', case r.relreplident when 'f' then 'full' when 'n' then 'nothing' end,
        'server', s.srvname,
        'server_options', foreign_options.options)
from user_relation r
left join pg_catalog.pg_foreign_table f on f.ftrelid = r.oid
left join pg_catalog.pg_foreign_server s on s.oid = f.ftserver
left join foreign_options on foreign_options.relation = r.oid and foreign_options.attnum = 0
where r.relkind in ('r', 'p', 'f')
union all
select 'pg_catalog.pg_class'::pg_catalog.regclass, r.oid, 0, case r.relkind when 'v' then 'view'
    else 'materialized view' end,
    r.name, r.relowner, 'r', r.relacl,
    pg_catalog.json_build_object('definition', pg_catalog.pg_get_viewdef(r.oid),
        'options', (select pg_catalog.json_agg(o order by o collate "C") from pg_catalog.unnest(r.reloptions) o),
        'toast_options', (
            select pg_catalog.json_agg(o order by o collate "C") from pg_catalog.pg_class t,
                pg_catalog.unnest(t.reloptions) o
            where t.oid = r.reltoastrelid),
        'access_method', (select amname from pg_catalog.pg_am where oid = r.relam and amname <> 'heap'),
        'tablespace', (select spcname from pg_catalog.pg_tablespace where oid = r.reltablespace))
from user_relation r where r.relkind in ('v', 'm')
union all
select 'pg_catalog.pg_class'::pg_catalog.regclass, oid, 0, 'sequence', name, relowner, 's', relacl, options
from sequence where deptype is distinct from 'i'
union all
select null, null, null, 'rls', name, null, null, null,
    pg_catalog.json_build_object('enabled', relrowsecurity, 'forced', nullif(relforcerowsecurity, false))
from relation
where (relrowsecurity or relforcerowsecurity)
    and (not is_platform or (nspname = 'pgmq' and (relname like 'q\_%' or relname like 'a\_%')))
union all
select 'pg_catalog.pg_class'::pg_catalog.regclass, r.oid, a.attnum, 'column', r.name || '.'
    || pg_catalog.quote_ident(a.attname),
    null, 'c', a.attacl,
    pg_catalog.concat(
        '{"type":', pg_catalog.to_json(pg_catalog.format_type(a.atttypid, a.atttypmod)),
        ',"collation":' || pg_catalog.to_json(case when a.attcollation <> t.typcollation then
            nullif(a.attcollation, 0)::pg_catalog.regcollation end),
        case when a.attnotnull then ',"not_null":true' end,
        case when not n.convalidated then ',"not_null_not_valid":true' end,
        case when n.connoinherit then ',"not_null_no_inherit":true' end,
        case a.attgenerated when '' then ',"default":' else ',"generated":' end
            || pg_catalog.to_json(pg_catalog.pg_get_expr(d.adbin, d.adrelid)),
        case when a.attgenerated = 'v' then ',"virtual":true' end,
        -- Since Postgres 17 a partition's column has its parent's identity, sequence and all.
        case when i.oid is not null then
            case a.attidentity when 'a' then ',"identity":"always"' when 'd' then ',"identity":"by default"' end end,
        ',"identity_options":' || pg_catalog.json_strip_nulls(i.options),
        case when a.attstorage <> t.typstorage then ',"storage":' || pg_catalog.to_json(a.attstorage) end,
        ',"compression":' || pg_catalog.to_json(nullif(a.attcompression, '')),
        ',"statistics":' || nullif(coalesce(a.attstattarget, -1), -1),
        ',"options":' || case when a.attoptions is not null then (
            select pg_catalog.json_agg(o order by o collate "C") from pg_catalog.unnest(a.attoptions) o
            where o not like 'pg\_attver=%') end,
        ',"server_options":' || foreign_options.options,
        case when a.attinhcount > 0 then ',"inherited":true' end,
        case when a.attinhcount > 0 and a.attislocal then ',"declared_here":true' end,
        '}')::pg_catalog.json
from user_relation r
join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
left join pg_catalog.pg_constraint n on n.contype = 'n' and (n.connoinherit or not n.convalidated)
    and n.conrelid = r.oid and n.conkey[1] = a.attnum
left join sequence i on i.relation = r.oid and i.attnum = a.attnum and i.deptype = 'i'
left join foreign_options on foreign_options.relation = r.oid and foreign_options.attnum = a.attnum
where r.relkind <> 'S'
