-- Routines and types.
select 'pg_catalog.pg_proc'::regclass, p.oid, 0,
    case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
    s.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')',
    p.proowner, 'f', p.proacl,
    case when g.aggfnoid is null then json_build_object('definition', pg_get_functiondef(p.oid))
    else json_build_object(
        'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid),
        'kind', g.aggkind, 'transition', g.aggtransfn::regprocedure, 'final', nullif(g.aggfinalfn, 0)::regprocedure,
        'combine', nullif(g.aggcombinefn, 0)::regprocedure, 'serial', nullif(g.aggserialfn, 0)::regprocedure,
        'deserial', nullif(g.aggdeserialfn, 0)::regprocedure, 'moving', nullif(g.aggmtransfn, 0)::regprocedure,
        'moving_inverse', nullif(g.aggminvtransfn, 0)::regprocedure, 'moving_final', nullif(g.aggmfinalfn, 0)::regprocedure,
        'state', format_type(g.aggtranstype, null), 'initial', g.agginitval, 'moving_initial', g.aggminitval,
        'final_extra', nullif(g.aggfinalextra, false), 'moving_final_extra', nullif(g.aggmfinalextra, false),
        'moving_state', format_type(nullif(g.aggmtranstype, 0), null),
        'moving_space', nullif(g.aggmtransspace, 0),
        'moving_modify', case when g.aggmtranstype <> 0 then nullif(g.aggmfinalmodify, 'r') end,
        'sort', nullif(g.aggsortop, 0)::regoperator, 'space', nullif(g.aggtransspace, 0),
        'modify', nullif(g.aggfinalmodify, 'r'), 'parallel', p.proparallel) end
from pg_catalog.pg_proc p
join schemas s on s.oid = p.pronamespace and not s.is_platform
left join pg_catalog.pg_aggregate g on g.aggfnoid = p.oid
where p.oid not in (select objid from member where classid = 'pg_catalog.pg_proc'::regclass)
union all
select 'pg_catalog.pg_type'::regclass, t.oid, 0,
    case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'c' then 'composite type'
        when 'r' then 'range type' else 'type' end,
    t.name, t.typowner, 'T', t.typacl,
    case t.typtype
        when 'e' then json_build_object('labels', (
            select json_agg(enumlabel order by enumsortorder) from pg_catalog.pg_enum where enumtypid = t.oid))
        when 'd' then json_build_object(
            'type', format_type(t.typbasetype, t.typtypmod), 'not_null', nullif(t.typnotnull, false),
            -- `typdefault` is text with the search path of its day (src/backend/commands/typecmds.c).
            'default', coalesce(pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::regclass), t.typdefault),
            'collation', case when t.typcollation <> b.typcollation then t.typcollation::regcollation end)
        when 'c' then json_build_object('attributes', (
            select json_agg(attname order by attnum) from pg_catalog.pg_attribute
            where attrelid = t.typrelid and attnum > 0 and not attisdropped))
        when 'r' then (
            select json_build_object('subtype', rngsubtype::regtype, 'multirange', rngmultitypid::regtype,
                'collation', nullif(rngcollation, 0)::regcollation,
                'operator_class', (
                    select identity from pg_identify_object('pg_catalog.pg_opclass'::regclass, rngsubopc, 0)),
                'canonical', nullif(rngcanonical, 0)::regprocedure, 'difference', nullif(rngsubdiff, 0)::regprocedure)
            from pg_catalog.pg_range where rngtypid = t.oid)
        else json_build_object('length', t.typlen, 'by_value', t.typbyval, 'category', t.typcategory,
            'preferred', t.typispreferred, 'defined', t.typisdefined, 'delimiter', t.typdelim,
            'input', t.typinput::regprocedure, 'output', t.typoutput::regprocedure,
            'receive', nullif(t.typreceive, 0)::regprocedure,
            'send', nullif(t.typsend, 0)::regprocedure, 'modifier_in', nullif(t.typmodin, 0)::regprocedure,
            'modifier_out', nullif(t.typmodout, 0)::regprocedure, 'analyze', nullif(t.typanalyze, 0)::regprocedure,
            'subscript', nullif(t.typsubscript, 0)::regprocedure, 'element', nullif(t.typelem, 0)::regtype,
            'collation', nullif(t.typcollation, 0)::regcollation, 'alignment', t.typalign,
            'storage', t.typstorage, 'default', t.typdefault)
    end
from user_type t
left join pg_catalog.pg_type b on b.oid = t.typbasetype
left join pg_catalog.pg_class c on c.oid = t.typrelid
where t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c')
    or (t.typtype in ('b', 'p') and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid))
