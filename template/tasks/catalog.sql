-- Every user object of the database as one fact: (identity, definition), in one round trip.
--
-- The settings come first because the functions that print definitions obey them: with an empty
-- search_path every name is printed with its schema. They hold for this transaction only.
select set_config(name, value, true)
from (values
    ('search_path', ''), ('quote_all_identifiers', 'off'), ('DateStyle', 'ISO, YMD'),
    ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), ('extra_float_digits', '1'),
    ('bytea_output', 'hex'), ('xmlbinary', 'base64'), ('lc_monetary', 'C'),
    ('standard_conforming_strings', 'on'), ('lock_timeout', '5s')
) as setting (name, value);

with
-- What an extension brought along belongs to it; the extension itself is the fact. Likewise the
-- constructors and casts that Postgres makes for a range type.
member as materialized (
    select classid, objid from pg_catalog.pg_depend
    where (deptype = 'e' and refclassid = 'pg_catalog.pg_extension'::regclass)
        or (deptype = 'i' and refclassid = 'pg_catalog.pg_type'::regclass
            and classid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_cast'::regclass))
),
schemas as materialized (
    select
        n.*, quote_ident(n.nspname) as name,
        n.nspname = any (array[
            '_analytics', '_realtime', '_supavisor', 'auth', 'cron', 'extensions', 'graphql',
            'graphql_public', 'net', 'pgbouncer', 'pgmq', 'pgsodium', 'pgsodium_masks', 'realtime',
            'storage', 'twolane', 'vault'
        ]) or n.nspname like 'supabase\_%' as is_platform
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and n.oid not in (select objid from member where classid = 'pg_catalog.pg_namespace'::regclass)
),
platform_role as materialized (
    select oid from pg_catalog.pg_roles
    where rolname in ('authenticator', 'dashboard_user', 'pgbouncer') or rolname like 'supabase\_%'
),
relation as materialized (
    select c.*, s.name || '.' || quote_ident(c.relname) as name, s.is_platform, s.nspname
    from pg_catalog.pg_class c
    join schemas s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'c')
        and c.oid not in (select objid from member where classid = 'pg_catalog.pg_class'::regclass)
),
user_relation as materialized (select * from relation where not is_platform),
user_type as materialized (
    select t.*, s.name || '.' || quote_ident(t.typname) as name
    from pg_catalog.pg_type t
    join schemas s on s.oid = t.typnamespace and not s.is_platform
    where t.oid not in (select objid from member where classid = 'pg_catalog.pg_type'::regclass)
),
user_family as materialized (
    select * from pg_catalog.pg_opfamily
    where oid not in (select objid from member where classid = 'pg_catalog.pg_opfamily'::regclass)
),
-- A sequence hangs on its column: inside an identity ('i'), or merely owned by it ('a').
column_sequence as materialized (
    select d.objid as sequence, d.refobjid as relation, d.refobjsubid as attnum, d.deptype
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::regclass and d.refobjsubid > 0
        and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
),
sequence as materialized (
    select
        r.oid, r.name, r.relowner, r.relacl, c.deptype, c.relation, c.attnum,
        json_build_object(
            'sequence', case c.deptype when 'i' then r.name end,
            'type', format_type(s.seqtypid, null), 'start', s.seqstart, 'increment', s.seqincrement,
            'min', s.seqmin, 'max', s.seqmax, 'cache', s.seqcache, 'cycle', nullif(s.seqcycle, false),
            'unlogged', nullif(r.relpersistence = 'u', false),
            'owned_by', case c.deptype when 'a' then c.relation::regclass || '.' || quote_ident(a.attname) end
        ) as options
    from user_relation r
    join pg_catalog.pg_sequence s on s.seqrelid = r.oid
    left join column_sequence c on c.sequence = r.oid
    left join pg_catalog.pg_attribute a on a.attrelid = c.relation and a.attnum = c.attnum
),
-- Kinds without a section of their own below; what they refer to is printed by name.
other (classid, objid, schema, owner, acl_kind, acl, definition) as (
    select 'pg_catalog.pg_collation'::regclass, oid, collnamespace, collowner, null::"char", null::aclitem[],
        json_build_object('provider', collprovider, 'deterministic', collisdeterministic,
            'collate', collcollate, 'ctype', collctype,
            'locale', coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'),
            'rules', to_jsonb(c) ->> 'collicurules')
    from pg_catalog.pg_collation c
    union all
    select 'pg_catalog.pg_conversion'::regclass, oid, connamespace, conowner, null, null,
        json_build_object('from', pg_encoding_to_char(conforencoding), 'to', pg_encoding_to_char(contoencoding),
            'function', conproc, 'default', condefault)
    from pg_catalog.pg_conversion
    union all
    select 'pg_catalog.pg_operator'::regclass, oid, oprnamespace, oprowner, null, null,
        json_build_object('function', oprcode::regprocedure, 'result', oprresult::regtype,
            'commutator', nullif(oprcom, 0)::regoperator, 'negator', nullif(oprnegate, 0)::regoperator,
            'restrict', nullif(oprrest, 0), 'join', nullif(oprjoin, 0),
            'hashes', nullif(oprcanhash, false), 'merges', nullif(oprcanmerge, false))
    from pg_catalog.pg_operator
    union all
    select 'pg_catalog.pg_opfamily'::regclass, oid, opfnamespace, opfowner, null, null, json_build_object()
    from pg_catalog.pg_opfamily
    union all
    select 'pg_catalog.pg_opclass'::regclass, o.oid, opcnamespace, opcowner, null, null,
        json_build_object('type', opcintype::regtype, 'default', opcdefault, 'family', i.identity,
            'storage', nullif(opckeytype, 0)::regtype)
    from pg_catalog.pg_opclass o
    cross join lateral pg_identify_object('pg_catalog.pg_opfamily'::regclass, opcfamily, 0) i
    union all
    select 'pg_catalog.pg_amop'::regclass, a.oid, f.opfnamespace, null, null, null,
        json_build_object('operator', amopopr::regoperator, 'purpose', amoppurpose,
            'sort_family', (select opfname from pg_catalog.pg_opfamily s where s.oid = amopsortfamily))
    from pg_catalog.pg_amop a join user_family f on f.oid = amopfamily
    union all
    select 'pg_catalog.pg_amproc'::regclass, a.oid, f.opfnamespace, null, null, null,
        json_build_object('function', amproc::regprocedure)
    from pg_catalog.pg_amproc a join user_family f on f.oid = amprocfamily
    union all
    select 'pg_catalog.pg_cast'::regclass, oid, null, null, null, null,
        json_build_object('function', nullif(castfunc, 0)::regprocedure, 'context', castcontext, 'method', castmethod)
    from pg_catalog.pg_cast
    union all
    select 'pg_catalog.pg_language'::regclass, oid, null, lanowner, 'l', lanacl,
        json_build_object('trusted', lanpltrusted, 'handler', nullif(lanplcallfoid, 0)::regprocedure,
            'inline', nullif(laninline, 0)::regprocedure, 'validator', nullif(lanvalidator, 0)::regprocedure)
    from pg_catalog.pg_language
    union all
    select 'pg_catalog.pg_transform'::regclass, oid, null, null, null, null,
        json_build_object('from_sql', nullif(trffromsql, 0)::regprocedure, 'to_sql', nullif(trftosql, 0)::regprocedure)
    from pg_catalog.pg_transform
    union all
    select 'pg_catalog.pg_am'::regclass, oid, null, null, null, null,
        json_build_object('type', amtype, 'handler', amhandler::regprocedure)
    from pg_catalog.pg_am
    union all
    select 'pg_catalog.pg_ts_config'::regclass, c.oid, cfgnamespace, cfgowner, null, null,
        json_build_object('parser', p.identity, 'mappings', (
            select json_agg(json_build_array(m.maptokentype, m.mapdict::regdictionary) order by m.maptokentype, m.mapseqno)
            from pg_catalog.pg_ts_config_map m where m.mapcfg = c.oid))
    from pg_catalog.pg_ts_config c
    cross join lateral pg_identify_object('pg_catalog.pg_ts_parser'::regclass, cfgparser, 0) p
    union all
    select 'pg_catalog.pg_ts_dict'::regclass, d.oid, dictnamespace, dictowner, null, null,
        json_build_object('template', t.identity, 'options', dictinitoption)
    from pg_catalog.pg_ts_dict d
    cross join lateral pg_identify_object('pg_catalog.pg_ts_template'::regclass, dicttemplate, 0) t
    union all
    select 'pg_catalog.pg_ts_parser'::regclass, oid, prsnamespace, null, null, null,
        json_build_object('start', prsstart, 'token', prstoken, 'end', prsend, 'headline', prsheadline, 'types', prslextype)
    from pg_catalog.pg_ts_parser
    union all
    select 'pg_catalog.pg_ts_template'::regclass, oid, tmplnamespace, null, null, null,
        json_build_object('init', tmplinit, 'lexize', tmpllexize)
    from pg_catalog.pg_ts_template
    union all
    select 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid, null, fdwowner, 'F', fdwacl,
        json_build_object('handler', nullif(fdwhandler, 0)::regprocedure,
            'validator', nullif(fdwvalidator, 0)::regprocedure, 'options', (
                select json_agg(encode(sha256(convert_to(o, 'UTF8')), 'hex') order by o) from unnest(fdwoptions) o))
    from pg_catalog.pg_foreign_data_wrapper
    union all
    select 'pg_catalog.pg_foreign_server'::regclass, s.oid, null, srvowner, 'S', srvacl,
        -- Keys of services may stand among the options, so each is a digest.
        json_build_object('wrapper', fdwname, 'type', srvtype, 'version', srvversion, 'options', (
            select json_agg(encode(sha256(convert_to(o, 'UTF8')), 'hex') order by o) from unnest(srvoptions) o))
    from pg_catalog.pg_foreign_server s join pg_catalog.pg_foreign_data_wrapper w on w.oid = srvfdw
    union all
    -- Its options hold passwords, and only a superuser sees them.
    select 'pg_catalog.pg_user_mapping'::regclass, umid, null, null, null, null, json_build_object()
    from pg_catalog.pg_user_mappings
    union all
    select 'pg_catalog.pg_subscription'::regclass, oid, null, subowner, null, null,
        json_build_object('enabled', subenabled, 'publications', subpublications, 'slot', subslotname)
    from pg_catalog.pg_subscription
    where subdbid = (select oid from pg_catalog.pg_database where datname = current_database())
    union all
    select 'pg_catalog.pg_statistic_ext'::regclass, oid, stxnamespace, stxowner, null, null,
        json_build_object('definition', pg_get_statisticsobjdef(oid),
            'target', nullif(coalesce(to_jsonb(s) ->> 'stxstattarget', '-1'), '-1'))
    from pg_catalog.pg_statistic_ext s
),
-- One row a fact; its owner, grants and comment become facts of their own at the end.
fact (classid, objid, objsubid, kind, name, owner, acl_kind, acl, definition) as (
    select 'pg_catalog.pg_namespace'::regclass, oid, 0, 'schema', name, nspowner, 'n'::"char", nspacl,
        json_build_object()
    from schemas where not is_platform
    union all
    select 'pg_catalog.pg_extension'::regclass, e.oid, 0, 'extension', quote_ident(extname), null, null, null,
        json_build_object('schema', n.nspname)
    from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = extnamespace
    where not (
        extname in ('orioledb', 'pg_graphql', 'pg_stat_statements', 'pgcrypto', 'pgjwt', 'pgsodium',
            'plpgsql', 'supabase_vault', 'uuid-ossp')
        and nspname in ('extensions', 'graphql', 'pg_catalog', 'pgsodium', 'vault'))
    union all
    select 'pg_catalog.pg_class'::regclass, r.oid, 0, case r.relkind when 'f' then 'foreign table' else 'table' end,
        r.name, r.relowner, 'r', r.relacl,
        json_build_object(
            'unlogged', nullif(r.relpersistence = 'u', false),
            'partition_by', pg_get_partkeydef(r.oid),
            'bound', pg_get_expr(r.relpartbound, r.oid),
            'inherits', (
                select json_agg(inhparent::regclass order by inhseqno)
                from pg_catalog.pg_inherits where inhrelid = r.oid),
            'of_type', nullif(r.reloftype, 0)::regtype,
            'options', (select json_agg(o order by o) from unnest(r.reloptions) o),
            'toast_options', (
                select json_agg(o order by o) from pg_catalog.pg_class t, unnest(t.reloptions) o
                where t.oid = r.reltoastrelid),
            'access_method', (select amname from pg_catalog.pg_am where oid = r.relam and amname <> 'heap'),
            'tablespace', (select spcname from pg_catalog.pg_tablespace where oid = r.reltablespace),
            'replica_identity', case r.relreplident when 'f' then 'full' when 'n' then 'nothing' end,
            'server', s.srvname,
            'server_options', (select json_agg(o order by o) from unnest(f.ftoptions) o))
    from user_relation r
    left join pg_catalog.pg_foreign_table f on f.ftrelid = r.oid
    left join pg_catalog.pg_foreign_server s on s.oid = f.ftserver
    where r.relkind in ('r', 'p', 'f')
    union all
    select 'pg_catalog.pg_class'::regclass, oid, 0, case relkind when 'v' then 'view' else 'materialized view' end,
        name, relowner, 'r', relacl,
        json_build_object('definition', pg_get_viewdef(oid),
            'options', (select json_agg(o order by o) from unnest(reloptions) o))
    from user_relation where relkind in ('v', 'm')
    union all
    select 'pg_catalog.pg_class'::regclass, oid, 0, 'sequence', name, relowner, 's', relacl, options
    from sequence where deptype is distinct from 'i'
    union all
    select null, null, null, 'rls', name, null, null, null,
        json_build_object('enabled', relrowsecurity, 'forced', nullif(relforcerowsecurity, false))
    from user_relation where relrowsecurity or relforcerowsecurity
    union all
    select 'pg_catalog.pg_class'::regclass, r.oid, a.attnum, 'column', r.name || '.' || quote_ident(a.attname),
        null, 'c', a.attacl,
        json_build_object(
            'type', format_type(a.atttypid, a.atttypmod),
            'collation', case when a.attcollation <> t.typcollation then nullif(a.attcollation, 0)::regcollation end,
            'not_null', nullif(a.attnotnull, false),
            'default', case a.attgenerated when '' then pg_get_expr(d.adbin, d.adrelid) end,
            'generated', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
            'virtual', nullif(a.attgenerated = 'v', false),
            'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end,
            'identity_options', i.options,
            'storage', case when a.attstorage <> t.typstorage then a.attstorage end,
            'compression', nullif(a.attcompression, ''),
            'statistics', nullif(coalesce(a.attstattarget, -1), -1),
            'options', (
                select json_agg(o order by o) from unnest(a.attoptions) o
                where o not like 'pg\_attver=%'),
            'server_options', a.attfdwoptions,
            'inherited', nullif(a.attinhcount > 0, false))
    from user_relation r
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    left join sequence i on i.relation = r.oid and i.attnum = a.attnum and i.deptype = 'i'
    where r.relkind <> 'S'
    union all
    -- A partition's constraints, indexes and triggers follow from its parent's. NOT NULL stands with
    -- the column: Postgres 18 catalogues it as a constraint, earlier ones do not.
    select 'pg_catalog.pg_constraint'::regclass, c.oid, 0, 'constraint',
        coalesce(r.name, t.name) || '.' || quote_ident(c.conname), null, null, null,
        json_build_object(
            'type', case c.contype when 'c' then 'check' when 'f' then 'foreign key' when 'p' then 'primary key'
                when 'u' then 'unique' when 'x' then 'exclude' end,
            'columns', (
                select json_agg(a.attname order by k.position)
                from unnest(c.conkey) with ordinality k (attnum, position)
                join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum),
            'references', nullif(c.confrelid, 0)::regclass,
            'referenced_columns', (
                select json_agg(a.attname order by k.position)
                from unnest(c.confkey) with ordinality k (attnum, position)
                join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.attnum),
            'definition', pg_get_constraintdef(c.oid),
            'index_options', i.reloptions,
            'index_tablespace', (select spcname from pg_catalog.pg_tablespace where oid = i.reltablespace),
            'clustered', nullif(x.indisclustered, false),
            'replica_identity', nullif(x.indisreplident, false))
    from pg_catalog.pg_constraint c
    left join user_relation r on r.oid = c.conrelid
    left join user_type t on t.oid = c.contypid
    left join pg_catalog.pg_index x on x.indexrelid = c.conindid and x.indrelid = c.conrelid
    left join pg_catalog.pg_class i on i.oid = x.indexrelid
    where c.contype in ('c', 'f', 'p', 'u', 'x') and c.conparentid = 0 and (c.conislocal or c.contypid <> 0)
        and (r.oid is not null or t.oid is not null)
    union all
    select 'pg_catalog.pg_class'::regclass, x.indexrelid, 0, 'index', r.name || '.' || quote_ident(c.relname),
        null, null, null,
        json_build_object(
            'definition', pg_get_indexdef(x.indexrelid),
            'unique', nullif(x.indisunique, false),
            'clustered', nullif(x.indisclustered, false),
            'replica_identity', nullif(x.indisreplident, false),
            'invalid', nullif(not x.indisvalid, false),
            'tablespace', (select spcname from pg_catalog.pg_tablespace where oid = c.reltablespace),
            'statistics', (
                select json_agg(json_build_array(attnum, attstattarget) order by attnum)
                from pg_catalog.pg_attribute where attrelid = c.oid and attstattarget >= 0))
    from pg_catalog.pg_index x
    join user_relation r on r.oid = x.indrelid
    join pg_catalog.pg_class c on c.oid = x.indexrelid and not c.relispartition
    where not exists (
        select from pg_catalog.pg_constraint k where k.conindid = x.indexrelid and k.conrelid = x.indrelid)
    union all
    -- On a platform table, a trigger that calls a user's function is the user's. What a webhook
    -- (a platform function) is given may be a secret, so it is a digest.
    select 'pg_catalog.pg_trigger'::regclass, t.oid, 0, 'trigger', r.name || '.' || quote_ident(t.tgname),
        null, null, null,
        json_build_object(
            'definition', case when f.is_platform
                then split_part(pg_get_triggerdef(t.oid), ' EXECUTE FUNCTION ', 1)
                    || ' EXECUTE FUNCTION ' || p.oid::regproc || '(…)'
                else pg_get_triggerdef(t.oid) end,
            'arguments', case when f.is_platform then encode(sha256(t.tgargs), 'hex') end,
            'enabled',
            case t.tgenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end)
    from pg_catalog.pg_trigger t
    join relation r on r.oid = t.tgrelid
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    left join schemas f on f.oid = p.pronamespace
    where not t.tgisinternal and t.tgparentid = 0 and (not r.is_platform or not f.is_platform)
    union all
    select 'pg_catalog.pg_rewrite'::regclass, w.oid, 0, 'rule', r.name || '.' || quote_ident(w.rulename),
        null, null, null,
        json_build_object('definition', pg_get_ruledef(w.oid), 'enabled',
            case w.ev_enabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end)
    from pg_catalog.pg_rewrite w join user_relation r on r.oid = w.ev_class
    where w.rulename <> '_RETURN'
    union all
    select 'pg_catalog.pg_policy'::regclass, p.oid, 0, 'policy', r.name || '.' || quote_ident(p.polname),
        null, null, null,
        json_build_object(
            'for', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                when 'd' then 'delete' else 'all' end,
            'to', (
                select json_agg(n order by n) from (
                    select case role when 0 then 'public' else pg_get_userbyid(role) end as n from unnest(p.polroles) role
                ) roles),
            'restrictive', nullif(not p.polpermissive, false),
            'using', pg_get_expr(p.polqual, p.polrelid),
            'check', pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_catalog.pg_policy p join relation r on r.oid = p.polrelid
    where not r.is_platform or r.nspname in ('auth', 'realtime', 'storage')
    union all
    select 'pg_catalog.pg_event_trigger'::regclass, e.oid, 0, 'event trigger', quote_ident(evtname), evtowner, null, null,
        json_build_object('event', evtevent, 'function', evtfoid::regprocedure,
            'tags', (select json_agg(o order by o) from unnest(evttags) o), 'enabled',
            case evtenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end)
    from pg_catalog.pg_event_trigger e
    join pg_catalog.pg_proc p on p.oid = e.evtfoid
    left join schemas f on f.oid = p.pronamespace
    where evtowner not in (select oid from platform_role) and f.is_platform is not true
        and e.oid not in (select objid from member where classid = 'pg_catalog.pg_event_trigger'::regclass)
    union all
    select 'pg_catalog.pg_proc'::regclass, p.oid, 0,
        case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
        s.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')',
        p.proowner, 'f', p.proacl,
        case when g.aggfnoid is null then json_build_object('definition', pg_get_functiondef(p.oid))
        else json_build_object(
            'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid),
            'kind', g.aggkind, 'transition', g.aggtransfn, 'final', nullif(g.aggfinalfn, 0),
            'combine', nullif(g.aggcombinefn, 0), 'serial', nullif(g.aggserialfn, 0),
            'deserial', nullif(g.aggdeserialfn, 0), 'moving', nullif(g.aggmtransfn, 0),
            'moving_inverse', nullif(g.aggminvtransfn, 0), 'moving_final', nullif(g.aggmfinalfn, 0),
            'state', format_type(g.aggtranstype, null), 'initial', g.agginitval, 'moving_initial', g.aggminitval,
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
                'default', t.typdefault,
                'collation', case when t.typcollation <> b.typcollation then t.typcollation::regcollation end)
            when 'c' then json_build_object('attributes', (
                select json_agg(attname order by attnum) from pg_catalog.pg_attribute
                where attrelid = t.typrelid and attnum > 0 and not attisdropped))
            when 'r' then (
                select json_build_object('subtype', rngsubtype::regtype, 'multirange', rngmultitypid::regtype,
                    'collation', nullif(rngcollation, 0)::regcollation,
                    'operator_class', (select opcname from pg_catalog.pg_opclass where oid = rngsubopc),
                    'canonical', nullif(rngcanonical, 0), 'difference', nullif(rngsubdiff, 0))
                from pg_catalog.pg_range where rngtypid = t.oid)
            else json_build_object('length', t.typlen, 'by_value', t.typbyval, 'category', t.typcategory,
                'preferred', t.typispreferred, 'defined', t.typisdefined, 'delimiter', t.typdelim,
                'input', t.typinput, 'output', t.typoutput, 'receive', nullif(t.typreceive, 0),
                'send', nullif(t.typsend, 0), 'modifier_in', nullif(t.typmodin, 0),
                'modifier_out', nullif(t.typmodout, 0), 'analyze', nullif(t.typanalyze, 0),
                'subscript', nullif(t.typsubscript, 0), 'element', nullif(t.typelem, 0)::regtype,
                'alignment', t.typalign, 'storage', t.typstorage, 'default', t.typdefault)
        end
    from user_type t
    left join pg_catalog.pg_type b on b.oid = t.typbasetype
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c')
        or (t.typtype in ('b', 'p') and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid))
    union all
    select 'pg_catalog.pg_publication'::regclass, oid, 0, 'publication', quote_ident(pubname), pubowner, null, null,
        json_build_object('all_tables', puballtables, 'insert', pubinsert, 'update', pubupdate, 'delete', pubdelete,
            'truncate', pubtruncate, 'via_root', pubviaroot,
            'generated_columns', nullif(to_jsonb(p) ->> 'pubgencols', 'n'))
    from pg_catalog.pg_publication p where pubname not like 'supabase\_realtime%'
    union all
    select 'pg_catalog.pg_publication_rel'::regclass, m.oid, 0, 'publication table',
        quote_ident(p.pubname) || ' ' || r.name, null, null, null,
        json_build_object('filter', pg_get_expr(m.prqual, m.prrelid), 'columns', (
            select json_agg(attname order by attname) from pg_catalog.pg_attribute
            where attrelid = m.prrelid and attnum = any (m.prattrs)))
    from pg_catalog.pg_publication_rel m
    join pg_catalog.pg_publication p on p.oid = m.prpubid
    join user_relation r on r.oid = m.prrelid
    union all
    select 'pg_catalog.pg_publication_namespace'::regclass, m.oid, 0, 'publication schema',
        quote_ident(p.pubname) || ' ' || s.name, null, null, null, json_build_object()
    from pg_catalog.pg_publication_namespace m
    join pg_catalog.pg_publication p on p.oid = m.pnpubid
    join schemas s on s.oid = m.pnnspid and not s.is_platform
    union all
    select 'pg_catalog.pg_default_acl'::regclass, d.oid, 0, 'default privileges',
        'for ' || quote_ident(pg_get_userbyid(d.defaclrole)) || coalesce(' in schema ' || s.name, '') || ' on '
            || case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                when 'T' then 'types' when 'n' then 'schemas' else 'large objects' end,
        null, case d.defaclobjtype when 'S' then 's' else d.defaclobjtype end, d.defaclacl, json_build_object()
    from pg_catalog.pg_default_acl d
    left join schemas s on s.oid = d.defaclnamespace
    where d.defaclrole not in (select oid from platform_role)
        and (d.defaclnamespace = 0 or not s.is_platform)
    union all
    select o.classid, o.objid, 0, i.type, i.identity, o.owner, o.acl_kind, o.acl, o.definition
    from other o
    cross join lateral pg_identify_object(o.classid, o.objid, 0) i
    where o.objid >= 16384  -- FirstNormalObjectId: what initdb made lies below
        and (o.schema is null or o.schema in (select oid from schemas where not is_platform))
        and (o.classid::oid, o.objid) not in (select classid, objid from member)
),
-- What can bear a comment: the facts, and what is part of one under a name of its own.
commentable (classid, objid, objsubid, kind, name) as (
    select classid, objid, objsubid, kind, name from fact
    union all
    select 'pg_catalog.pg_class'::regclass, oid, 0, 'sequence', name from sequence where deptype = 'i'
    union all
    select 'pg_catalog.pg_class'::regclass, x.indexrelid, 0, 'index', r.name || '.' || quote_ident(c.relname)
    from pg_catalog.pg_index x
    join user_relation r on r.oid = x.indrelid
    join pg_catalog.pg_class c on c.oid = x.indexrelid and not c.relispartition
    where exists (
        select from pg_catalog.pg_constraint k where k.conindid = x.indexrelid and k.conrelid = x.indrelid)
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
            filter (where h.is_grantable and h.grantee <> h.owner) as grantable
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
select 'comment ' || f.kind || ' ' || f.name, json_strip_nulls(json_build_object('text', d.description))::text
from commentable f
join pg_catalog.pg_description d on (d.classoid, d.objoid, d.objsubid) = (f.classid, f.objid, f.objsubid)
where (f.kind, f.name, d.description) <> ('schema', 'public', 'standard public schema')
    and f.kind <> 'extension'  -- it brings one along, which differs with its version
union all
select 'security label ' || f.kind || ' ' || f.name || ' for ' || quote_ident(l.provider),
    json_strip_nulls(json_build_object('label', l.label))::text
from fact f
join pg_catalog.pg_seclabel l on (l.classoid, l.objoid, l.objsubid) = (f.classid, f.objid, f.objsubid);
