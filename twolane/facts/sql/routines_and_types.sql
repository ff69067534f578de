-- Routines and types.
select 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0,
    case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
    s.name || '.' || pg_catalog.quote_ident(p.proname) || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')',
    p.proowner, 'f', p.proacl,
    case when g.aggfnoid is null then pg_catalog.json_build_object('definition', pg_catalog.pg_get_functiondef(p.oid))
    else pg_catalog.json_build_object(
        'arguments', pg_catalog.pg_get_function_arguments(p.oid), 'result', pg_catalog.pg_get_function_result(p.oid),
        'kind', g.aggkind, 'transition', g.aggtransfn::pg_catalog.regprocedure,
        'final', nullif(g.aggfinalfn, 0)::pg_catalog.regprocedure,
        'combine', nullif(g.aggcombinefn, 0)::pg_catalog.regprocedure,
        'serial', nullif(g.aggserialfn, 0)::pg_catalog.regprocedure,
        'deserial', nullif(g.aggdeserialfn, 0)::pg_catalog.regprocedure,
        'moving', nullif(g.aggmtransfn, 0)::pg_catalog.regprocedure,
        'moving_inverse', nullif(g.aggminvtransfn, 0)::pg_catalog.regprocedure,
        'moving_final', nullif(g.aggmfinalfn, 0)::pg_catalog.regprocedure,
        'state', pg_catalog.format_type(g.aggtranstype, null), 'initial', g.agginitval, 'moving_initial', g.aggminitval,
        'final_extra', nullif(g.aggfinalextra, false), 'moving_final_extra', nullif(g.aggmfinalextra, false),
        'moving_state', pg_catalog.format_type(nullif(g.aggmtranstype, 0), null),
        'moving_space', nullif(g.aggmtransspace, 0),
        'moving_modify', case when g.aggmtranstype <> 0 then nullif(g.aggmfinalmodify, 'r') end,
        'sort', nullif(g.aggsortop, 0)::pg_catalog.regoperator, 'space', nullif(g.aggtransspace, 0),
        'modify', nullif(g.aggfinalmodify, 'r'), 'parallel', p.proparallel) end
from pg_catalog.pg_proc p
join schemas s on s.oid = p.pronamespace and not s.is_platform
left join pg_catalog.pg_aggregate g on g.aggfnoid = p.oid
where p.oid not in (select objid from member where classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
union all
select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0,
    case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'c' then 'composite type'
        when 'r' then 'range type' else 'type' end,
    t.name, t.typowner, 'T', t.typacl,
    case t.typtype
        when 'e' then pg_catalog.json_build_object('labels', (
            select pg_catalog.json_agg(enumlabel order by enumsortorder) from pg_catalog.pg_enum
                where enumtypid = t.oid))
        when 'd' then pg_catalog.json_build_object(
            'type', pg_catalog.format_type(t.typbasetype, t.typtypmod), 'not_null', nullif(t.typnotnull, false),
            -- `typdefault` is text with the search path of its day (src/backend/commands/typecmds.c).
            'default', coalesce(pg_catalog.pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::pg_catalog.regclass),
                t.typdefault),
            'collation', case when t.typcollation <> b.typcollation then t.typcollation::pg_catalog.regcollation end)
        when 'c' then pg_catalog.json_build_object('attributes', (
            select pg_catalog.json_agg(attname order by attnum) from pg_catalog.pg_attribute
            where attrelid = t.typrelid and attnum > 0 and not attisdropped))
        when 'r' then (
            select pg_catalog.json_build_object('subtype', rngsubtype::pg_catalog.regtype,
                'multirange', rngmultitypid::pg_catalog.regtype,
                'collation', nullif(rngcollation, 0)::pg_catalog.regcollation,
                'operator_class', (
                    select identity from pg_catalog.pg_identify_object('pg_catalog.pg_opclass'::pg_catalog.regclass,
                        rngsubopc, 0)),
                'canonical', nullif(rngcanonical, 0)::pg_catalog.regprocedure,
                'difference', nullif(rngsubdiff, 0)::pg_catalog.regprocedure)
            from pg_catalog.pg_range where rngtypid = t.oid)
        else pg_catalog.json_build_object('length', t.typlen, 'by_value', t.typbyval, 'category', t.typcategory,
            'preferred', t.typispreferred, 'defined', t.typisdefined, 'delimiter', t.typdelim,
            'input', t.typinput::pg_catalog.regprocedure, 'output', t.typoutput::pg_catalog.regprocedure,
            'receive', nullif(t.typreceive, 0)::pg_catalog.regprocedure,
            'send', nullif(t.typsend, 0)::pg_catalog.regprocedure,
            'modifier_in', nullif(t.typmodin, 0)::pg_catalog.regprocedure,
            'modifier_out', nullif(t.typmodout, 0)::pg_catalog.regprocedure,
            'analyze', nullif(t.typanalyze, 0)::pg_catalog.regprocedure,
            'subscript', nullif(t.typsubscript, 0)::pg_catalog.regprocedure,
            'element', nullif(t.typelem, 0)::pg_catalog.regtype,
            'collation', nullif(t.typcollation, 0)::pg_catalog.regcollation, 'alignment', t.typalign,
            'storage', t.typstorage, 'default', t.typdefault)
    end
from user_type t
left join pg_catalog.pg_type b on b.oid = t.typbasetype
left join pg_catalog.pg_class c on c.oid = t.typrelid
where t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c')
    or (t.typtype in ('b', 'p') and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid))
