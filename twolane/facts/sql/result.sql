-- Facts with a definition, and the facts about them: owners, grants, comments, labels.
-- Comments; of those that initdb makes, only a schema's may be on what has a fact. No user's object
-- has an OID below 16384 (FirstNormalObjectId, src/include/access/transam.h).
said as materialized (
    select classoid, objoid, objsubid, description from pg_catalog.pg_description
    where objoid >= 16384 or classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
),
-- What may bear a comment though it may have no fact of its own.
part (classid, objid, kind, name) as materialized (
    select 'pg_catalog.pg_class'::pg_catalog.regclass, oid, 'sequence', name from sequence where deptype = 'i'
    union all
    select 'pg_catalog.pg_class'::pg_catalog.regclass, indexrelid, 'index', name from user_index
    union all
    select 'pg_catalog.pg_constraint'::pg_catalog.regclass, c.oid, 'constraint', r.name || '.'
        || pg_catalog.quote_ident(c.conname)
    from pg_catalog.pg_constraint c join user_relation r on r.oid = c.conrelid
    union all
    select 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 'trigger', r.name || '.'
        || pg_catalog.quote_ident(t.tgname)
    from pg_catalog.pg_trigger t join user_relation r on r.oid = t.tgrelid
    union all
    select 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid, 'rule', r.name || '.'
        || pg_catalog.quote_ident(w.rulename)
    from pg_catalog.pg_rewrite w join user_relation r on r.oid = w.ev_class
    union all
    select 'pg_catalog.pg_type'::pg_catalog.regclass, oid, 'type', name
    from user_type
    where oid not in (select objid from fact where classid = 'pg_catalog.pg_type'::pg_catalog.regclass)
),
commentable (classid, objid, objsubid, kind, name) as materialized (
    select classid, objid, objsubid, kind, name from fact
    union all
    select classid, objid, 0, kind, name
    from part where (classid, objid) in (select classoid, objoid from said)
),
-- Every privilege that exists for a kind of object, as its owner holds them by default.
full_acl as materialized (
    select kind, pg_catalog.array_agg(privilege_type order by privilege_type) as privileges
    from pg_catalog.unnest('{n,r,s,f,T,l,F,S}'::pg_catalog."char"[]) kind
    cross join lateral pg_catalog.aclexplode(pg_catalog.acldefault(kind, 10))
    where grantee = 10
    group by kind
),
held as materialized (
    select f.kind, f.name, f.owner, f.acl_kind, a.grantee, a.privilege_type, a.is_grantable
    from fact f
    cross join lateral pg_catalog.aclexplode(coalesce(f.acl, pg_catalog.acldefault(f.acl_kind, f.owner))) a
    where f.acl_kind is not null and (f.acl is not null or f.acl_kind in ('f', 'T', 'l'))
    union all
    select kind, name, relowner, 's', a.grantee, a.privilege_type, a.is_grantable
    from (select 'sequence' as kind, * from sequence where deptype = 'i') s
    cross join lateral pg_catalog.aclexplode(relacl) a
    union all
    select kind, name, owner, acl_kind, owner, null, null
    from fact where acl is not null and owner is not null
),
held_by as materialized (
    select
        h.kind, h.name, h.owner, h.grantee, f.privileges as everything,
        pg_catalog.array_agg(distinct h.privilege_type order by h.privilege_type)
            filter (where h.privilege_type is not null) as privileges,
        pg_catalog.array_agg(distinct h.privilege_type order by h.privilege_type)
            filter (where h.is_grantable and h.grantee is distinct from h.owner) as grantable
    from held h left join full_acl f on f.kind = h.acl_kind
    group by h.kind, h.name, h.owner, h.grantee, f.privileges
),
-- What an extension brought is no fact, but what others than its owner may do with it is, where that
-- is not what the extension's script gave (`pg_init_privs`), nor what Postgres or the database gives
-- by default. In the platform's `extensions` the platform itself gives and takes.
brought (classid, objid, kind, name, nsp, owner, acl_kind, acl, is_platform) as materialized (
    select 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid, p.oid,
        case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
        s.name || '.' || pg_catalog.quote_ident(p.proname) || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')',
        s.oid, p.proowner, 'f'::pg_catalog."char", p.proacl, s.is_platform
    from member m
    join pg_catalog.pg_proc p on p.oid = m.objid and p.proacl is not null
    join schemas s on s.oid = p.pronamespace
    where m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    union all
    select 'pg_catalog.pg_class'::pg_catalog.regclass, r.oid,
        case r.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
            when 'f' then 'foreign table' else 'table' end,
        r.name, r.relnamespace, r.relowner, case r.relkind when 'S' then 's' else 'r' end::pg_catalog."char", r.relacl,
        r.is_platform
    from relation r
    where r.is_member and r.relacl is not null and r.relkind <> 'c'
    union all
    select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 'type', s.name || '.' || pg_catalog.quote_ident(t.typname),
        s.oid, t.typowner, 'T', t.typacl, s.is_platform
    from pg_catalog.pg_type t
    join schemas s on s.oid = t.typnamespace
    where t.typacl is not null and t.typelem = 0
),
brought_acl as materialized (
    select b.kind, b.name, b.owner, b.acl_kind, b.acl, b.is_platform,
        coalesce(i.initprivs, pg_catalog.acldefault(b.acl_kind, b.owner)) as initial,
        coalesce(i.initprivs, coalesce(a.defaclacl, pg_catalog.acldefault(b.acl_kind, b.owner))
            || coalesce(o.defaclacl, '{}')) as by_default
    from brought b
    join schemas s on s.oid = b.nsp and (not s.is_platform or s.nspname = 'extensions')
    left join pg_catalog.pg_init_privs i
        on (i.classoid, i.objoid, i.objsubid, i.privtype) = (b.classid, b.objid, 0, 'e')
    left join pg_catalog.pg_default_acl a on a.defaclrole = b.owner and a.defaclnamespace = 0
        and a.defaclobjtype = case b.acl_kind when 's' then 'S' else b.acl_kind end
    left join pg_catalog.pg_default_acl o on o.defaclrole = b.owner and o.defaclnamespace = b.nsp
        and o.defaclobjtype = case b.acl_kind when 's' then 'S' else b.acl_kind end
    where (b.classid, b.objid) in (
        select classid, objid from pg_catalog.pg_depend
        where deptype = 'e' and refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass)
),
brought_to as materialized (
    select b.kind, b.name, b.acl_kind, a.grantee,
        coalesce(pg_catalog.array_agg(a.privilege_type order by a.privilege_type) filter (where place = 1),
            '{}') as privileges,
        pg_catalog.array_agg(a.privilege_type order by a.privilege_type) filter (where place = 1
            and a.is_grantable) as grantable
    from brought_acl b
    cross join lateral (
        select 1, * from pg_catalog.aclexplode(b.acl)
        union all select 2, * from pg_catalog.aclexplode(b.initial)
        union all select 3, * from pg_catalog.aclexplode(b.by_default)
    ) a (place, grantor, grantee, privilege_type, is_grantable)
    where a.grantee <> b.owner
        and not (b.is_platform and (
            a.grantee in (select oid from platform_role)
            or a.grantee = pg_catalog.to_regrole('postgres')::pg_catalog.oid))
    group by b.kind, b.name, b.acl_kind, a.grantee
    having pg_catalog.array_agg(distinct a.privilege_type order by a.privilege_type) filter (where place = 1)
            is distinct from pg_catalog.array_agg(distinct a.privilege_type order by a.privilege_type)
                filter (where place = 2)
        and pg_catalog.array_agg(distinct a.privilege_type order by a.privilege_type) filter (where place = 1)
            is distinct from pg_catalog.array_agg(distinct a.privilege_type order by a.privilege_type)
                filter (where place = 3)
)
select kind || ' ' || name as identity, pg_catalog.json_strip_nulls(definition)::pg_catalog.text as definition from fact
union all
select 'owner ' || kind || ' ' || name,
    pg_catalog.json_strip_nulls(
        pg_catalog.json_build_object('role', pg_catalog.pg_get_userbyid(owner)))::pg_catalog.text
from fact
where owner <> (select datdba from pg_catalog.pg_database where datname = pg_catalog.current_database())
union all
select
    'grant ' || kind || ' ' || name || ' to '
        || case grantee when 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) end,
    pg_catalog.json_strip_nulls(pg_catalog.json_build_object(
        'privileges', case when privileges = everything then '{ALL}' else coalesce(privileges, '{}') end,
        'grant_option', case when grantable = everything then '{ALL}' else grantable end))::pg_catalog.text
from held_by
where (grantee = owner and privileges = everything) is not true
    -- What others own here belongs to the database's owner where the files make it.
    and (owner <> grantee and grantee = (
        select datdba from pg_catalog.pg_database where datname = pg_catalog.current_database())) is not true
union all
select
    'grant ' || b.kind || ' ' || b.name || ' to '
        || case b.grantee when 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(b.grantee)) end,
    pg_catalog.json_strip_nulls(pg_catalog.json_build_object(
        'privileges', case when b.privileges = f.privileges then '{ALL}' else b.privileges end,
        'grant_option', case when b.grantable = f.privileges then '{ALL}' else b.grantable end))::pg_catalog.text
from brought_to b
join full_acl f on f.kind = b.acl_kind
union all
select distinct 'comment ' || f.kind || ' ' || f.name,
    pg_catalog.json_strip_nulls(pg_catalog.json_build_object('text', d.description))::pg_catalog.text
from commentable f
join said d on (d.classoid, d.objoid, d.objsubid) = (f.classid, f.objid, f.objsubid)
where (f.kind, f.name, d.description) <> ('schema', 'public', 'standard public schema')
    and f.kind <> 'extension'  -- it brings one along, which differs with its version
union all
select 'security label ' || f.kind || ' ' || f.name || ' for ' || pg_catalog.quote_ident(l.provider),
    pg_catalog.json_strip_nulls(pg_catalog.json_build_object('label', l.label))::pg_catalog.text
from fact f
join pg_catalog.pg_seclabel l on (l.classoid, l.objoid, l.objsubid) = (f.classid, f.objid, f.objsubid);
