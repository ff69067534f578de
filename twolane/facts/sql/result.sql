-- Facts with a definition, and the facts about them: owners, grants, comments, labels.
-- What may bear a comment though it may have no fact of its own.
part (classid, objid, kind, name) as (
    select 'pg_catalog.pg_class'::regclass, oid, 'sequence', name from sequence where deptype = 'i'
    union all
    select 'pg_catalog.pg_class'::regclass, indexrelid, 'index', name from user_index
    union all
    select 'pg_catalog.pg_constraint'::regclass, c.oid, 'constraint', r.name || '.' || quote_ident(c.conname)
    from pg_catalog.pg_constraint c join user_relation r on r.oid = c.conrelid
    union all
    select 'pg_catalog.pg_trigger'::regclass, t.oid, 'trigger', r.name || '.' || quote_ident(t.tgname)
    from pg_catalog.pg_trigger t join user_relation r on r.oid = t.tgrelid
    union all
    select 'pg_catalog.pg_rewrite'::regclass, w.oid, 'rule', r.name || '.' || quote_ident(w.rulename)
    from pg_catalog.pg_rewrite w join user_relation r on r.oid = w.ev_class
    union all
    select 'pg_catalog.pg_type'::regclass, oid, 'type', name
    from user_type
    where oid not in (select objid from fact where classid = 'pg_catalog.pg_type'::regclass)
),
commentable (classid, objid, objsubid, kind, name) as (
    select classid, objid, objsubid, kind, name from fact
    union all
    select classid, objid, 0, kind, name
    from part where (classid, objid) in (select classoid, objoid from pg_catalog.pg_description)
),
-- Every privilege that exists for a kind of object, as its owner holds them by default.
full_acl as materialized (
    select kind, array_agg(privilege_type order by privilege_type) as privileges
    from unnest('{n,r,s,f,T,l,F,S}'::"char"[]) kind
    cross join lateral aclexplode(acldefault(kind, 10))
    where grantee = 10
    group by kind
),
held as (
    select f.kind, f.name, f.owner, f.acl_kind, a.grantee, a.privilege_type, a.is_grantable
    from fact f
    cross join lateral aclexplode(coalesce(f.acl, acldefault(f.acl_kind, f.owner))) a
    where f.acl_kind is not null and (f.acl is not null or f.acl_kind in ('f', 'T', 'l'))
    union all
    select kind, name, relowner, 's', a.grantee, a.privilege_type, a.is_grantable
    from (select 'sequence' as kind, * from sequence where deptype = 'i') s
    cross join lateral aclexplode(relacl) a
    union all
    select kind, name, owner, acl_kind, owner, null, null
    from fact where acl is not null and owner is not null
),
held_by as (
    select
        h.kind, h.name, h.owner, h.grantee, f.privileges as everything,
        array_agg(distinct h.privilege_type order by h.privilege_type)
            filter (where h.privilege_type is not null) as privileges,
        array_agg(distinct h.privilege_type order by h.privilege_type)
            filter (where h.is_grantable and h.grantee is distinct from h.owner) as grantable
    from held h left join full_acl f on f.kind = h.acl_kind
    group by h.kind, h.name, h.owner, h.grantee, f.privileges
)
select kind || ' ' || name as identity, json_strip_nulls(definition)::text as definition from fact
union all
select 'owner ' || kind || ' ' || name, json_strip_nulls(json_build_object('role', pg_get_userbyid(owner)))::text
from fact
where owner <> (select datdba from pg_catalog.pg_database where datname = current_database())
union all
select
    'grant ' || kind || ' ' || name || ' to '
        || case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
    json_strip_nulls(json_build_object(
        'privileges', case when privileges = everything then '{ALL}' else coalesce(privileges, '{}') end,
        'grant_option', case when grantable = everything then '{ALL}' else grantable end))::text
from held_by
where (grantee = owner and privileges = everything) is not true
union all
select distinct 'comment ' || f.kind || ' ' || f.name, json_strip_nulls(json_build_object('text', d.description))::text
from commentable f
join pg_catalog.pg_description d on (d.classoid, d.objoid, d.objsubid) = (f.classid, f.objid, f.objsubid)
where (f.kind, f.name, d.description) <> ('schema', 'public', 'standard public schema')
    and f.kind <> 'extension'  -- it brings one along, which differs with its version
union all
select 'security label ' || f.kind || ' ' || f.name || ' for ' || quote_ident(l.provider),
    json_strip_nulls(json_build_object('label', l.label))::text
from fact f
join pg_catalog.pg_seclabel l on (l.classoid, l.objoid, l.objsubid) = (f.classid, f.objid, f.objsubid);
