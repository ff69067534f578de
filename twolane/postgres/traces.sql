-- What facts leave out, after their own shared parts (`facts/sql/common.sql`): one row a thing.
-- {hidden}, {schema} and {area} may lead to one area alone.
database as materialized (
    select * from pg_catalog.pg_database where datname = pg_catalog.current_database()
),
lock as materialized (
    select relation, mode, database
    from pg_catalog.pg_locks
    where locktype = 'relation' and pid = pg_catalog.pg_backend_pid() and granted
        and mode in ('RowExclusiveLock', 'AccessExclusiveLock')
),
{held}
-- Schemas whose objects are no facts: the platform's, those of extensions, Postgres's own.
hidden as materialized (
    select
        n.oid, n.nspname, pg_catalog.quote_ident(n.nspname) || '.' as prefix,
        n.nspname in ('pg_catalog', 'information_schema') as is_built_in,
        case n.nspname when 'twolane' then 'records' else 'platform' end as area
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_(toast|temp_)' and {hidden}
),
-- Of what initdb made (below FirstNormalObjectId), what somebody may do with it, and what this
-- transaction has changed. The age of a row of this transaction or later is not above 0.
hidden_relation as materialized (
    select c.*, h.area, h.prefix || pg_catalog.quote_ident(c.relname) as name
    from pg_catalog.pg_class c
    join hidden h on h.oid = c.relnamespace
    where not h.is_built_in or c.oid >= 16384 or c.relacl is not null or pg_catalog.age(c.xmin) <= 0
),
routine as materialized (
    select p.*, h.area, n.nspname
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    left join hidden h on h.oid = n.oid
    where {schema} and case
        when h.is_built_in then p.oid >= 16384 or p.proacl is not null or pg_catalog.age(p.xmin) <= 0
        else h.oid is not null or p.oid in (
            select objid from member where classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
        end
),
thing (area, name, content) as (
    select area, 'schema ' || pg_catalog.rtrim(prefix, '.'), n::pg_catalog.text
    from hidden join pg_catalog.pg_namespace n using (oid)
    union all
    select area, 'relation ' || name, row(
        oid, relowner, relam, relfilenode, reltablespace, relpersistence, relkind, relnatts, relrowsecurity,
        relforcerowsecurity, relreplident, relispartition, relacl, reloptions, relpartbound)::pg_catalog.text
    from hidden_relation
    union all
    select pg_catalog.min(r.area), 'columns of ' || r.name,
        pg_catalog.string_agg(a::pg_catalog.text, ' ' order by a.attnum)
    from hidden_relation r
    join pg_catalog.pg_attribute a on a.attrelid = r.oid
    where r.relkind <> 'i' and r.oid >= 16384
    group by r.name
    union all
    select r.area, 'default of ' || r.name || ' ' || d.adnum, d::pg_catalog.text
    from pg_catalog.pg_attrdef d join hidden_relation r on r.oid = d.adrelid
    union all
    select r.area, 'constraint ' || r.name || '.' || pg_catalog.quote_ident(c.conname), c::pg_catalog.text
    from pg_catalog.pg_constraint c join hidden_relation r on r.oid = c.conrelid
    where r.oid >= 16384
    union all
    select r.area, 'index ' || x.indexrelid::pg_catalog.regclass, x::pg_catalog.text
    from pg_catalog.pg_index x join hidden_relation r on r.oid = x.indrelid
    where r.oid >= 16384
    union all
    -- A foreign key of the app's puts triggers of its own on the table that it names.
    select r.area, 'trigger ' || r.name || '.' || pg_catalog.quote_ident(t.tgname), t::pg_catalog.text
    from pg_catalog.pg_trigger t join hidden_relation r on r.oid = t.tgrelid
    where not t.tgisinternal or t.tgenabled <> 'O'
    union all
    select r.area, 'policy ' || r.name || '.' || pg_catalog.quote_ident(p.polname), p::pg_catalog.text
    from pg_catalog.pg_policy p join hidden_relation r on r.oid = p.polrelid
    union all
    select r.area, 'rule ' || r.name || '.' || pg_catalog.quote_ident(w.rulename), w::pg_catalog.text
    from pg_catalog.pg_rewrite w join hidden_relation r on r.oid = w.ev_class
    where r.oid >= 16384
    union all
    select r.area, 'child of ' || r.name || ': ' || i.inhrelid::pg_catalog.regclass, i::pg_catalog.text
    from pg_catalog.pg_inherits i join hidden_relation r on r.oid = i.inhparent
    where r.relkind in ('r', 'p')
    union all
    select r.area, 'publication ' || pg_catalog.quote_ident(u.pubname) || ' of ' || r.name, p::pg_catalog.text
    from pg_catalog.pg_publication_rel p
    join hidden_relation r on r.oid = p.prrelid
    join pg_catalog.pg_publication u on u.oid = p.prpubid
    union all
    select h.area, 'publication ' || pg_catalog.quote_ident(u.pubname) || ' of schema ' || pg_catalog.rtrim(h.prefix, '.'),
        p::pg_catalog.text
    from pg_catalog.pg_publication_namespace p
    join hidden h on h.oid = p.pnnspid
    join pg_catalog.pg_publication u on u.oid = p.pnpubid
    union all
    select coalesce(area, 'platform'),
        'function ' || pg_catalog.quote_ident(nspname) || '.' || pg_catalog.quote_ident(proname) || '('
            || pg_catalog.oidvectortypes(proargtypes) || ')',
        row(
        oid, proowner, prolang, procost, prorows, provariadic, prosupport, prokind, prosecdef, proleakproof,
        proisstrict, proretset, provolatile, proparallel, prorettype, proallargtypes, proargmodes, proargnames,
        proargdefaults, protrftypes, prosrc, probin, prosqlbody, proconfig, proacl)::pg_catalog.text
    from routine
    union all
    select h.area, 'type ' || h.prefix || pg_catalog.quote_ident(t.typname), pg_catalog.concat(t, (
        select pg_catalog.string_agg(e::pg_catalog.text, ' ' order by e.enumsortorder)
        from pg_catalog.pg_enum e where e.enumtypid = t.oid))
    from pg_catalog.pg_type t join hidden h on h.oid = t.typnamespace
    where t.oid >= 16384 and t.typcategory <> 'A'
    union all
    select h.area, o.kind || ' ' || h.prefix || o.name, o.content
    from (
        select oid, oprnamespace, 'operator', oprname || ' ' || oid, o::pg_catalog.text from pg_catalog.pg_operator o
        union all
        select oid, opcnamespace, 'operator class', opcname || ' ' || oid, o::pg_catalog.text
        from pg_catalog.pg_opclass o
        union all
        select oid, opfnamespace, 'operator family', opfname || ' ' || oid, o::pg_catalog.text
        from pg_catalog.pg_opfamily o
        union all
        select oid, collnamespace, 'collation', collname || ' ' || oid, o::pg_catalog.text
        from pg_catalog.pg_collation o
        union all
        select oid, connamespace, 'conversion', conname || ' ' || oid, o::pg_catalog.text
        from pg_catalog.pg_conversion o
        union all
        select oid, cfgnamespace, 'text search configuration', cfgname, pg_catalog.concat(o, (
            select pg_catalog.string_agg(m::pg_catalog.text, ' ' order by m.maptokentype, m.mapseqno)
            from pg_catalog.pg_ts_config_map m where m.mapcfg = o.oid))
        from pg_catalog.pg_ts_config o
        union all
        select oid, dictnamespace, 'text search dictionary', dictname, o::pg_catalog.text
        from pg_catalog.pg_ts_dict o
        union all
        select oid, stxnamespace, 'statistics object', stxname, o::pg_catalog.text
        from pg_catalog.pg_statistic_ext o
    ) o (oid, namespace, kind, name, content)
    join hidden h on h.oid = o.namespace
    where o.oid >= 16384
    union all
    select 'platform', 'event trigger ' || pg_catalog.quote_ident(e.evtname), e::pg_catalog.text
    from pg_catalog.pg_event_trigger e
    join pg_catalog.pg_proc p on p.oid = e.evtfoid
    where e.evtowner in (select oid from platform_role) or p.pronamespace in (select oid from hidden)
    union all
    select 'platform', 'publication ' || pg_catalog.quote_ident(pubname), p::pg_catalog.text
    from pg_catalog.pg_publication p where pubname like 'supabase\_realtime%'
    union all
    select 'platform', 'extension ' || pg_catalog.quote_ident(extname), e::pg_catalog.text
    from pg_catalog.pg_extension e
    union all
    select 'platform', 'language ' || pg_catalog.quote_ident(lanname), l::pg_catalog.text
    from pg_catalog.pg_language l
    where oid < 16384 or oid in (select objid from member where classid = 'pg_catalog.pg_language'::pg_catalog.regclass)
    union all
    select 'platform', 'default privileges ' || d.oid, d::pg_catalog.text
    from pg_catalog.pg_default_acl d
    where d.defaclrole in (select oid from platform_role) or d.defaclnamespace in (select oid from hidden)
    union all
    select 'platform', 'comment on ' || r.name, pg_catalog.string_agg(d::pg_catalog.text, ' ' order by d.objsubid)
    from pg_catalog.pg_description d
    join hidden_relation r on r.oid = d.objoid
    where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and r.oid >= 16384
    group by r.name
    union all
    select 'server', 'role ' || pg_catalog.quote_ident(rolname), row(
        oid, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit,
        rolvaliduntil, rolbypassrls)::pg_catalog.text
    from pg_catalog.pg_roles
    union all
    select 'server',
        'membership in ' || pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(roleid)) || ' of '
            || pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(member)),
        pg_catalog.string_agg((pg_catalog.to_jsonb(m) - 'oid')::pg_catalog.text, ' ' order by grantor)
    from pg_catalog.pg_auth_members m
    group by roleid, member
    union all
    select 'server',
        'settings of' || coalesce(' role ' || pg_catalog.quote_ident(r.rolname), '')
            || case when s.setrole <> 0 and s.setdatabase <> 0 then ' in' else '' end
            || case
                when s.setdatabase = 0 then ''
                when s.setdatabase = (select oid from database) then ' the database'
                else ' database ' || s.setdatabase end,
        s::pg_catalog.text
    from pg_catalog.pg_db_role_setting s
    left join pg_catalog.pg_roles r on r.oid = s.setrole
    union all
    select 'server', 'database ' || pg_catalog.quote_ident(datname), row(
        datdba, encoding, datistemplate, datallowconn, datconnlimit, dattablespace, datacl)::pg_catalog.text
    from database
    union all
    select 'server', 'tablespace ' || pg_catalog.quote_ident(spcname), t::pg_catalog.text
    from pg_catalog.pg_tablespace t
    union all
    select 'server', 'parameter ' || parname, p::pg_catalog.text from pg_catalog.pg_parameter_acl p
    union all
    select 'server', 'comment on ' || coalesce('role ' || pg_catalog.quote_ident(r.rolname), 'database ' || objoid),
        d::pg_catalog.text
    from pg_catalog.pg_shdescription d
    left join pg_catalog.pg_roles r
        on r.oid = d.objoid and d.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
)
select 'thing', 0::pg_catalog.int8, area, name, 0::pg_catalog.int8, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(content, 'UTF8')), 'base64')
from thing
where {area}
union all
select
    'relation', c.oid::pg_catalog.int8, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
    case c.relkind when 'S' then coalesce(
        (select pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname)
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class t on t.oid = d.refobjid
        join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.refobjsubid > 0
            and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i')
        limit 1), '') end,
    c.relfilenode::pg_catalog.int8, (
        select pg_catalog.json_object_agg(
            pg_catalog.quote_ident(attname), attnum order by attnum)::pg_catalog.text
        from pg_catalog.pg_attribute
        where attrelid = c.oid and attnum > 0 and not attisdropped)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'S') and n.nspname !~ '^pg_(toast|temp_|catalog$)' and n.nspname <> 'information_schema'
union all
select case mode when 'RowExclusiveLock' then 'written' else 'exclusive' end, relation::pg_catalog.int8, null, null, 0, null
from lock where database = (select oid from database)
union all
select 'held', 0, name, null, 0, null from held
