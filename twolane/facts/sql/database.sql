-- Event triggers, publications, default privileges, and the kinds without a section of their own.
select 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, e.oid, 0, 'event trigger', pg_catalog.quote_ident(evtname),
    evtowner, null, null,
    pg_catalog.json_build_object('event', evtevent, 'function', evtfoid::pg_catalog.regprocedure,
        'tags', (select pg_catalog.json_agg(o order by o collate "C") from pg_catalog.unnest(evttags) o),
        'enabled', case evtenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end)
from pg_catalog.pg_event_trigger e
join pg_catalog.pg_proc p on p.oid = e.evtfoid
left join schemas f on f.oid = p.pronamespace
where evtowner not in (select oid from platform_role) and f.is_platform is not true
    and e.oid not in (select objid from member where classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass)
union all
select 'pg_catalog.pg_publication'::pg_catalog.regclass, oid, 0, 'publication', pg_catalog.quote_ident(pubname),
    pubowner, null, null,
    pg_catalog.json_build_object('all_tables', puballtables, 'insert', pubinsert, 'update', pubupdate,
        'delete', pubdelete,
        'truncate', pubtruncate, 'via_root', pubviaroot,
        'generated_columns', nullif(pg_catalog.to_jsonb(p) ->> 'pubgencols', 'n'))
from pg_catalog.pg_publication p where pubname not like 'supabase\_realtime%'
union all
select 'pg_catalog.pg_publication_rel'::pg_catalog.regclass, m.oid, 0, 'publication table',
    pg_catalog.quote_ident(p.pubname) || ' ' || r.name, null, null, null,
    pg_catalog.json_build_object('filter', pg_catalog.pg_get_expr(m.prqual, m.prrelid), 'columns', (
        select pg_catalog.json_agg(attname order by attname) from pg_catalog.pg_attribute
        where attrelid = m.prrelid and attnum = any (m.prattrs)))
from pg_catalog.pg_publication_rel m
join pg_catalog.pg_publication p on p.oid = m.prpubid
join user_relation r on r.oid = m.prrelid
union all
select 'pg_catalog.pg_publication_namespace'::pg_catalog.regclass, m.oid, 0, 'publication schema',
    pg_catalog.quote_ident(p.pubname) || ' ' || s.name, null, null, null, pg_catalog.json_build_object()
from pg_catalog.pg_publication_namespace m
join pg_catalog.pg_publication p on p.oid = m.pnpubid
join schemas s on s.oid = m.pnnspid and not s.is_platform
union all
select 'pg_catalog.pg_default_acl'::pg_catalog.regclass, d.oid, 0, 'default privileges',
    'for ' || pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(d.defaclrole))
        || coalesce(' in schema ' || s.name, '') || ' on '
        || case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
            when 'T' then 'types' when 'n' then 'schemas' else 'large objects' end,
    null, case d.defaclobjtype when 'S' then 's' else d.defaclobjtype end, d.defaclacl, pg_catalog.json_build_object()
from pg_catalog.pg_default_acl d
left join schemas s on s.oid = d.defaclnamespace
where d.defaclrole not in (select oid from platform_role)
    and (d.defaclnamespace = 0 or not s.is_platform)
union all
-- `pg_identify_object` words it differently on Postgres 15.
select 'pg_catalog.pg_transform'::pg_catalog.regclass, t.oid, 0, 'transform',
    'for ' || pg_catalog.format_type(trftype, null) || ' language ' || pg_catalog.quote_ident(lanname),
    null, null, null,
    pg_catalog.json_build_object('from_sql', nullif(trffromsql, 0)::pg_catalog.regprocedure,
        'to_sql', nullif(trftosql, 0)::pg_catalog.regprocedure)
from pg_catalog.pg_transform t join pg_catalog.pg_language l on l.oid = trflang
where t.oid >= 16384 and t.oid not in (select objid from member
    where classid = 'pg_catalog.pg_transform'::pg_catalog.regclass)
union all
select o.classid, o.objid, 0, i.type, i.identity, o.owner, o.acl_kind, o.acl, o.definition
from other o
cross join lateral pg_catalog.pg_identify_object(o.classid, o.objid, 0) i
where (o.schema is null or o.schema in (select oid from schemas where not is_platform))
    and (o.classid::pg_catalog.oid, o.objid) not in (select classid, objid from member)
