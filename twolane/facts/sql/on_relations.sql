-- What is on relations: constraints, indexes, triggers, rules, policies.
-- What a partition or an heir has from its parent follows from the parent's, unless it differs. NOT
-- NULL stands with the column: Postgres 18 catalogues it as a constraint, earlier ones do not.
select 'pg_catalog.pg_constraint'::pg_catalog.regclass, c.oid, 0,
'constraint', coalesce(r.name, t.name) || '.' || pg_catalog.quote_ident(c.conname), null, null, null,
    pg_catalog.concat(
        '{"type":', case c.contype when 'c' then '"check"' when 'f' then '"foreign key"'
            when 'p' then '"primary key"' when 'u' then '"unique"' when 'x' then '"exclude"' end,
        ',"columns":' || (
            select pg_catalog.json_agg((
                select attname from pg_catalog.pg_attribute where attrelid = c.conrelid and attnum = k.attnum
            ) order by k.position)
            from pg_catalog.unnest(c.conkey) with ordinality k (attnum, position)),
        ',"references":' || pg_catalog.to_json(nullif(c.confrelid, 0)::pg_catalog.regclass),
        ',"referenced_columns":' || case when c.confrelid <> 0 then (
            select pg_catalog.json_agg((
                select attname from pg_catalog.pg_attribute where attrelid = c.confrelid and attnum = k.attnum
            ) order by k.position)
            from pg_catalog.unnest(c.confkey) with ordinality k (attnum, position)) end,
        ',"definition":' || pg_catalog.to_json(pg_catalog.pg_get_constraintdef(c.oid)),
        case when c.coninhcount > 0 and c.conparentid = 0 then ',"inherited":true' end,
        ',"index_options":' || pg_catalog.to_json(x.reloptions),
        ',"index_tablespace":' || pg_catalog.to_json((
            select spcname from pg_catalog.pg_tablespace where oid = x.reltablespace)),
        ',"index_statistics":' || x.targets,
        case when not x.indisvalid then ',"invalid":true' end,
        case when x.indisclustered then ',"clustered":true' end,
        case when x.indisreplident then ',"replica_identity":true' end,
        ',"triggers":' || k.triggers,
        '}')::pg_catalog.json
from pg_catalog.pg_constraint c
left join user_relation r on r.oid = c.conrelid
left join user_type t on t.oid = c.contypid
left join user_index x on x.indexrelid = c.conindid and x.indrelid = c.conrelid
left join key_triggers k on k.tgconstraint = c.oid
where c.contype in ('c', 'f', 'p', 'u', 'x') and (r.oid is not null or t.oid is not null)
    and ((c.conparentid = 0 and (c.conislocal or c.contypid <> 0)) or c.oid in (select oid from own_constraint))
union all
select 'pg_catalog.pg_class'::pg_catalog.regclass, x.indexrelid, 0, 'index', x.name, null, null, null,
    pg_catalog.json_build_object(
        'definition', pg_catalog.pg_get_indexdef(x.indexrelid),
        'unique', nullif(x.indisunique, false),
        'clustered', nullif(x.indisclustered, false),
        'replica_identity', nullif(x.indisreplident, false),
        'invalid', nullif(not x.indisvalid, false),
        'tablespace', (select spcname from pg_catalog.pg_tablespace where oid = x.reltablespace),
        'statistics', x.targets::json)
from user_index x
where (not x.relispartition or x.indexrelid in (select indexrelid from own_index))
    and not exists (
        select from pg_catalog.pg_constraint k where k.conindid = x.indexrelid and k.conrelid = x.indrelid)
union all
-- On a table of the platform's or an extension's, a trigger that calls a user's function is the
-- user's. What a webhook is given may be a secret, so it is a digest.
select 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 0, 'trigger', r.name || '.'
    || pg_catalog.quote_ident(t.tgname),
    null, null, null,
    pg_catalog.json_build_object(
        'definition', case when w.is_webhook
            then pg_catalog.split_part(pg_catalog.pg_get_triggerdef(t.oid), ' EXECUTE FUNCTION ', 1)
                || ' EXECUTE FUNCTION ' || p.oid::pg_catalog.regproc || '(...)'
            else pg_catalog.pg_get_triggerdef(t.oid) end,
        'arguments', case when w.is_webhook then pg_catalog.encode(pg_catalog.sha256(t.tgargs), 'hex') end,
        'enabled',
        case t.tgenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end)
from pg_catalog.pg_trigger t
join relation r on r.oid = t.tgrelid
join pg_catalog.pg_proc p on p.oid = t.tgfoid
left join schemas f on f.oid = p.pronamespace
cross join lateral (
    select f.is_platform and f.nspname in ('net', 'supabase_functions') as is_webhook
) w
where not t.tgisinternal and (t.tgparentid = 0 or t.oid in (select oid from own_trigger))
    and (not r.is_platform or not f.is_platform)
    and (not r.is_member
        or p.oid not in (select objid from member where classid = 'pg_catalog.pg_proc'::pg_catalog.regclass))
union all
select 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid, 0, 'rule', r.name || '.'
    || pg_catalog.quote_ident(w.rulename),
    null, null, null,
    pg_catalog.json_build_object('definition', pg_catalog.pg_get_ruledef(w.oid),
        'enabled', case w.ev_enabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end)
from pg_catalog.pg_rewrite w join user_relation r on r.oid = w.ev_class
where w.rulename <> '_RETURN'
union all
select 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, 0, 'policy', r.name || '.'
    || pg_catalog.quote_ident(p.polname),
    null, null, null,
    pg_catalog.json_build_object(
        'for', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
            when 'd' then 'delete' else 'all' end,
        'to', (
            select pg_catalog.json_agg(n order by n) from (
                select case role when 0 then 'public' else pg_catalog.pg_get_userbyid(role) end as n
                    from pg_catalog.unnest(p.polroles) role
            ) roles),
        'restrictive', nullif(not p.polpermissive, false),
        'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
        'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
from pg_catalog.pg_policy p join relation r on r.oid = p.polrelid
where not r.is_platform or r.nspname in ('auth', 'pgmq', 'realtime', 'storage')
