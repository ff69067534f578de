-- Kinds without a section of their own, one row an object: `pg_identify_object` names them, and
-- what they refer to is printed by name.
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
            'restrict', nullif(oprrest, 0)::regprocedure, 'join', nullif(oprjoin, 0)::regprocedure,
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
            'sort_family', (
            select identity
            from pg_identify_object('pg_catalog.pg_opfamily'::regclass, nullif(amopsortfamily, 0), 0)))
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
                select json_agg(encode(sha256(convert_to(o, 'UTF8')), 'hex') order by o collate "C") from unnest(fdwoptions) o))
    from pg_catalog.pg_foreign_data_wrapper
    union all
    select 'pg_catalog.pg_foreign_server'::regclass, s.oid, null, srvowner, 'S', srvacl,
        -- Keys of services may stand among the options, so each is a digest.
        json_build_object('wrapper', fdwname, 'type', srvtype, 'version', srvversion, 'options', (
            select json_agg(encode(sha256(convert_to(o, 'UTF8')), 'hex') order by o collate "C") from unnest(srvoptions) o))
    from pg_catalog.pg_foreign_server s join pg_catalog.pg_foreign_data_wrapper w on w.oid = srvfdw
    union all
    -- Its options hold passwords, and only a superuser sees them.
    select 'pg_catalog.pg_user_mapping'::regclass, umid, null, null, null, null, json_build_object()
    from pg_catalog.pg_user_mappings
    union all
    -- What only later majors have is taken from `earlier` before them. Only superusers may read the
    -- row as a whole: the connection holds a password.
    select 'pg_catalog.pg_subscription'::regclass, s.oid, null, s.subowner, null, null, s.definition
    from (select true as subpasswordrequired, false as subrunasowner, false as subfailover, 'any' as suborigin) earlier
    cross join lateral (
        select oid, subowner, json_build_object(
            'enabled', subenabled, 'slot', subslotname,
            'publications', (select json_agg(o order by o collate "C") from unnest(subpublications) o),
            'binary', nullif(subbinary, false), 'streaming', left(substream::text, 1),
            'two_phase', nullif(subtwophasestate <> 'd', false),
            'disable_on_error', nullif(subdisableonerr, false),
            'synchronous_commit', subsynccommit, 'password_required', nullif(subpasswordrequired, true),
            'run_as_owner', nullif(subrunasowner, false), 'failover', nullif(subfailover, false),
            'origin', nullif(suborigin, 'any')) as definition
        from pg_catalog.pg_subscription
        where subdbid = (select oid from pg_catalog.pg_database where datname = current_database())
    ) s
    union all
    select 'pg_catalog.pg_statistic_ext'::regclass, oid, stxnamespace, stxowner, null, null,
        json_build_object('definition', pg_get_statisticsobjdef(oid),
            'target', nullif(coalesce(to_jsonb(s) ->> 'stxstattarget', '-1'), '-1'))
    from pg_catalog.pg_statistic_ext s
),
