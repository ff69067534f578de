-- What db.prove must know of the relations `names`, of the tables that their keys refer to, and of
-- the functions in `schemas` that anon or authenticated may call; one JSON value.
with recursive
wanted (oid) as (
    select pg_catalog.unnest(%(names)s::pg_catalog.text[])::pg_catalog.regclass::pg_catalog.oid
    union
    select k.confrelid from pg_catalog.pg_constraint k join wanted w on w.oid = k.conrelid
    where k.contype = 'f'
),
own as (select pg_catalog.unnest(%(own)s::pg_catalog.text[])::pg_catalog.regclass::pg_catalog.oid as oid),
role (name) as (values ('anon'), ('authenticated')),
used (oid) as (
    select atttypid from pg_catalog.pg_attribute where attrelid in (select oid from wanted) and attnum > 0
    union
    select pg_catalog.unnest(f.proargtypes::pg_catalog.oid[])
    from pg_catalog.pg_proc f join pg_catalog.pg_namespace s on s.oid = f.pronamespace
    where s.nspname = any (%(schemas)s)
),
-- A domain stands for the type below it, however many domains lie between.
base (oid, under, modifier, depth) as (
    select oid, oid, -1, 0 from used
    union all
    select b.oid, t.typbasetype, case when t.typtypmod >= 0 then t.typtypmod else b.modifier end, b.depth + 1
    from base b join pg_catalog.pg_type t on t.oid = b.under and t.typtype = 'd'
),
type as (
    select
        b.oid, t.typname as base, t.typtype as kind, t.typcategory as category, b.modifier,
        e.typname as element,
        exists (
            select from base a join pg_catalog.pg_type d on d.oid = a.under
            where a.oid = b.oid and d.typnotnull
        ) as not_null,
        (
            select pg_catalog.json_agg(l.enumlabel order by l.enumsortorder) from pg_catalog.pg_enum l
            where l.enumtypid in (t.oid, e.oid)
        ) as labels,
        (
            select pg_catalog.json_agg(pg_catalog.pg_get_constraintdef(k.oid)) from pg_catalog.pg_constraint k
            join base a on a.under = k.contypid where a.oid = b.oid
        ) as checks
    from base b
    join pg_catalog.pg_type t on t.oid = b.under and t.typtype <> 'd'
    left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'
),
names as (
    select k.oid, pg_catalog.json_agg(a.attname order by n.ordinality) as columns
    from pg_catalog.pg_constraint k
    cross join pg_catalog.unnest(k.conkey) with ordinality n (attnum, ordinality)
    join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = n.attnum
    where k.conrelid in (select oid from wanted)
    group by k.oid
),
-- The columns of unique indexes, constraints' own among them; an expression counts as none.
unique_index as (
    select
        x.indrelid, x.indisprimary, c.relname, x.indisunique and x.indpred is null and 0 <> all (x.indkey) as is_key,
        (
            select coalesce(pg_catalog.json_agg(a.attname order by n.ordinality), '[]')
            from pg_catalog.unnest(x.indkey) with ordinality n (attnum, ordinality)
            join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = n.attnum
            where n.ordinality <= x.indnkeyatts
        ) as columns
    from pg_catalog.pg_index x join pg_catalog.pg_class c on c.oid = x.indexrelid
    where (x.indisunique or x.indisexclusion) and x.indrelid in (select oid from wanted)
),
condition as (
    select k.conrelid as relation, pg_catalog.pg_get_expr(k.conbin, k.conrelid) as expression, n.columns
    from pg_catalog.pg_constraint k join names n on n.oid = k.oid
    where k.contype = 'c'
    union all
    -- A partition's bounds; of a partitioned table those of its partitions, any of them.
    select
        p.oid,
        case p.relkind when 'p' then (
            select pg_catalog.string_agg('(' || coalesce(pg_catalog.pg_get_partition_constraintdef(i.inhrelid),
                'true') || ')', ' or ')
            from pg_catalog.pg_inherits i where i.inhparent = p.oid
        ) else pg_catalog.pg_get_partition_constraintdef(p.oid) end,
        (
            select pg_catalog.json_agg(a.attname)
            from pg_catalog.pg_partitioned_table t
            cross join pg_catalog.unnest(t.partattrs) as n (attnum)
            join pg_catalog.pg_attribute a on a.attrelid = t.partrelid and a.attnum = n.attnum
            where t.partrelid in (p.oid, (select i.inhparent from pg_catalog.pg_inherits i where i.inhrelid = p.oid))
        )
    from pg_catalog.pg_class p
    where p.oid in (select oid from wanted) and (p.relkind = 'p' or p.relispartition)
),
attribute as (
    select
        a.attrelid,
        pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', a.attname,
            'type', pg_catalog.json_build_object(
                'name', pg_catalog.format_type(a.atttypid, a.atttypmod), 'base', t.base, 'kind', t.kind,
                'category', t.category, 'element', t.element, 'labels', t.labels, 'checks', t.checks,
                'modifier', case when a.atttypmod >= 0 then a.atttypmod else t.modifier end
            ),
            'nullable', not (a.attnotnull or t.not_null),
            'required', (a.attnotnull or t.not_null) and not a.atthasdef and a.attidentity = '',
            'default', case when a.attgenerated = '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end,
            'identity', a.attidentity,
            'generated', case when a.attgenerated <> '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end,
            'rights', (
                select pg_catalog.json_object_agg(r.name,
                    case when pg_catalog.has_column_privilege(r.name, a.attrelid, a.attnum, 'select') then 'r'
                        else '' end
                    || case when pg_catalog.has_column_privilege(r.name, a.attrelid, a.attnum, 'insert') then 'i'
                        else '' end
                    || case when pg_catalog.has_column_privilege(r.name, a.attrelid, a.attnum, 'update') then 'u'
                        else '' end)
                from role r
            )
        ) order by a.attnum) as columns
    from pg_catalog.pg_attribute a
    join type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped and a.attrelid in (select oid from wanted)
    group by a.attrelid
)
select pg_catalog.json_build_object(
    'relations', (
        select pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.relname),
            'kind', case c.relkind
                when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end,
            'exposed', c.oid in (select oid from own) and exists (
                select from role r where pg_catalog.has_schema_privilege(r.name, s.oid, 'usage')),
            'owner', pg_catalog.pg_get_userbyid(c.relowner),
            'has_rls', c.relrowsecurity,
            'published', exists (
                select from pg_catalog.pg_publication_tables t
                where t.schemaname = s.nspname and t.tablename = c.relname and t.pubname like 'supabase_realtime%%'
            ),
            'policies', (
                select pg_catalog.json_agg(pg_catalog.json_build_object(
                    'name', p.polname, 'command', p.polcmd,
                    'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                    'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
                ) order by p.polname)
                from pg_catalog.pg_policy p where p.polrelid = c.oid
            ),
            'columns', a.columns,
            'checks', (
                select pg_catalog.json_agg(pg_catalog.json_build_object('expression', k.expression,
                    'columns', k.columns))
                from condition k where k.relation = c.oid and k.expression is not null and k.columns is not null
            ),
            'keys', (
                select pg_catalog.json_agg(u.columns order by u.indisprimary desc, u.relname)
                from unique_index u where u.indrelid = c.oid and u.is_key
            ),
            'unique', (
                select pg_catalog.json_object_agg(u.relname, u.columns) from unique_index u where u.indrelid = c.oid
            ),
            'foreign_keys', (
                select pg_catalog.json_agg(pg_catalog.json_build_object(
                    'columns', n.columns,
                    'cascades', k.confdeltype = 'c',
                    'parent', pg_catalog.quote_ident(ps.nspname) || '.' || pg_catalog.quote_ident(p.relname),
                    'parent_columns', (
                        select pg_catalog.json_agg(f.attname order by m.ordinality)
                        from pg_catalog.unnest(k.confkey) with ordinality m (attnum, ordinality)
                        join pg_catalog.pg_attribute f on f.attrelid = k.confrelid and f.attnum = m.attnum
                    )
                ) order by k.conname)
                from pg_catalog.pg_constraint k
                join names n on n.oid = k.oid
                join pg_catalog.pg_class p on p.oid = k.confrelid
                join pg_catalog.pg_namespace ps on ps.oid = p.relnamespace
                where k.conrelid = c.oid and k.contype = 'f'
                    -- Postgres adds one for each partition that a key refers to; the table's own is enough.
                    and not p.relispartition
            ),
            'rights', (
                select pg_catalog.json_object_agg(r.name,
                    case when not pg_catalog.has_schema_privilege(r.name, s.oid, 'usage') then '' else
                        case when pg_catalog.has_any_column_privilege(r.name, c.oid, 'select') then 'r' else '' end
                        || case when pg_catalog.has_any_column_privilege(r.name, c.oid, 'insert') then 'i' else '' end
                        || case when pg_catalog.has_any_column_privilege(r.name, c.oid, 'update') then 'u' else '' end
                        || case when pg_catalog.has_table_privilege(r.name, c.oid, 'delete') then 'd' else '' end
                        || case when pg_catalog.has_table_privilege(r.name, c.oid, 'truncate') then 't' else '' end
                    end)
                from role r
            )
        ) order by s.nspname, c.relname)
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace s on s.oid = c.relnamespace
        left join attribute a on a.attrelid = c.oid
        where c.oid in (select oid from wanted)
    ),
    -- The tables of the platform that a project writes policies for, if it has.
    'platform', (
        select pg_catalog.json_object_agg(t.name, t.policies)
        from (
            select
                n.name,
                pg_catalog.json_agg(pg_catalog.json_build_object(
                    'name', p.polname, 'command', p.polcmd,
                    'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check',
                        pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
                ) order by p.polname) as policies
            from pg_catalog.unnest(%(platform)s::pg_catalog.text[]) n (name)
            join pg_catalog.pg_policy p on p.polrelid = pg_catalog.to_regclass(n.name)
            group by n.name
        ) t
    ),
    -- The texts that decide who may do what: views, and functions, also those that nobody may call.
    'texts', (
        select pg_catalog.json_agg(pg_catalog.json_build_array(t.name, t.text) order by t.name)
        from (
            select pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.relname) as name,
                pg_catalog.pg_get_viewdef(c.oid) as text
            from pg_catalog.pg_class c join pg_catalog.pg_namespace s on s.oid = c.relnamespace
            where c.relkind in ('v', 'm') and c.oid in (select oid from wanted)
            union all
            select pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(f.proname),
                coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), f.prosrc)
            from pg_catalog.pg_proc f join pg_catalog.pg_namespace s on s.oid = f.pronamespace
            join pg_catalog.pg_language l on l.oid = f.prolang
            where s.nspname = any (%(schemas)s) and l.lanname in ('sql', 'plpgsql')
                and not exists (
                    select from pg_catalog.pg_depend d
                    where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = f.oid
                        and d.deptype in ('e', 'i'))
        ) t
    ),
    'functions', (
        select pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(f.proname),
            'signature', pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(f.proname) || '('
                || pg_catalog.oidvectortypes(f.proargtypes) || ')',
            'is_procedure', f.prokind = 'p',
            'is_definer', f.prosecdef,
            'arguments', (
                select pg_catalog.json_agg(pg_catalog.json_build_object(
                    'name', coalesce(f.proargnames[n.place], ''),
                    'type', pg_catalog.json_build_object(
                        'name', pg_catalog.format_type(n.oid, null), 'base', t.base, 'kind', t.kind,
                        'category', t.category,
                        'element', t.element, 'labels', t.labels, 'checks', t.checks, 'modifier', t.modifier),
                    'optional', n.number > f.pronargs - f.pronargdefaults
                ) order by n.number)
                from (
                    select o.oid, o.number, coalesce(m.place, o.number) as place
                    from pg_catalog.unnest(f.proargtypes::pg_catalog.oid[]) with ordinality o (oid, number)
                    left join (
                        -- Among all arguments those that go in.
                        select p.place, pg_catalog.row_number() over (order by p.place) as number
                        from pg_catalog.unnest(f.proargmodes) with ordinality p (mode, place)
                        where p.mode in ('i', 'b', 'v')
                    ) m on m.number = o.number
                ) n
                join type t on t.oid = n.oid
            ),
            'roles', (
                select pg_catalog.json_agg(r.name) from role r
                where pg_catalog.has_function_privilege(r.name, f.oid, 'execute')
                    and pg_catalog.has_schema_privilege(r.name, s.oid, 'usage')
            )
        ) order by s.nspname, f.proname, pg_catalog.oidvectortypes(f.proargtypes))
        from pg_catalog.pg_proc f
        join pg_catalog.pg_namespace s on s.oid = f.pronamespace
        where s.nspname = any (%(schemas)s)
            and f.prokind in ('f', 'p')
            and f.prorettype not in (
                'pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
            and exists (
                select from role r
                where pg_catalog.has_function_privilege(r.name, f.oid, 'execute')
                    and pg_catalog.has_schema_privilege(r.name, s.oid, 'usage'))
            and not exists (
                select from pg_catalog.pg_depend d
                where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = f.oid
                    and d.deptype in ('e', 'i'))
    )
)
