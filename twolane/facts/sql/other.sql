-- Kinds without a section of their own, one row an object: `pg_identify_object` names them, and
-- what they refer to is printed by name. What initdb made has an OID below 16384
-- (FirstNormalObjectId): each kind leaves it out for itself, as the whole is materialized.
other (classid, objid, schema, owner, acl_kind, acl, definition) as materialized (
    select 'pg_catalog.pg_collation'::pg_catalog.regclass, oid, collnamespace, collowner, null::pg_catalog."char",
        null::pg_catalog.aclitem[],
        pg_catalog.json_build_object('provider', collprovider, 'deterministic', collisdeterministic,
            'collate', collcollate, 'ctype', collctype,
            'locale', coalesce(pg_catalog.to_jsonb(c) ->> 'colllocale', pg_catalog.to_jsonb(c) ->> 'colliculocale'),
            'rules', pg_catalog.to_jsonb(c) ->> 'collicurules')
    from pg_catalog.pg_collation c
    where oid >= 16384
    union all
    select 'pg_catalog.pg_conversion'::pg_catalog.regclass, oid, connamespace, conowner, null, null,
        pg_catalog.json_build_object('from', pg_catalog.pg_encoding_to_char(conforencoding),
            'to', pg_catalog.pg_encoding_to_char(contoencoding),
            'function', conproc, 'default', condefault)
    from pg_catalog.pg_conversion
    where oid >= 16384
    union all
    select 'pg_catalog.pg_operator'::pg_catalog.regclass, oid, oprnamespace, oprowner, null, null,
        pg_catalog.json_build_object('function', oprcode::pg_catalog.regprocedure,
            'result', oprresult::pg_catalog.regtype,
            'commutator', nullif(oprcom, 0)::pg_catalog.regoperator,
            'negator', nullif(oprnegate, 0)::pg_catalog.regoperator,
            'restrict', nullif(oprrest, 0)::pg_catalog.regprocedure,
            'join', nullif(oprjoin, 0)::pg_catalog.regprocedure,
            'hashes', nullif(oprcanhash, false), 'merges', nullif(oprcanmerge, false))
    from pg_catalog.pg_operator
    where oid >= 16384
    union all
    select 'pg_catalog.pg_opfamily'::pg_catalog.regclass, oid, opfnamespace, opfowner, null, null,
        pg_catalog.json_build_object()
    from pg_catalog.pg_opfamily
    where oid >= 16384
    union all
    select 'pg_catalog.pg_opclass'::pg_catalog.regclass, o.oid, opcnamespace, opcowner, null, null,
        pg_catalog.json_build_object('type', opcintype::pg_catalog.regtype, 'default', opcdefault, 'family', i.identity,
            'storage', nullif(opckeytype, 0)::pg_catalog.regtype)
    from pg_catalog.pg_opclass o
    cross join lateral pg_catalog.pg_identify_object('pg_catalog.pg_opfamily'::pg_catalog.regclass, opcfamily, 0) i
    where o.oid >= 16384
    union all
    select 'pg_catalog.pg_amop'::pg_catalog.regclass, a.oid, f.opfnamespace, null, null, null,
        pg_catalog.json_build_object('operator', amopopr::pg_catalog.regoperator, 'purpose', amoppurpose,
            'sort_family', (
            select identity
            from pg_catalog.pg_identify_object('pg_catalog.pg_opfamily'::pg_catalog.regclass,
                nullif(amopsortfamily, 0), 0)))
    from pg_catalog.pg_amop a join user_family f on f.oid = amopfamily
    where a.oid >= 16384
    union all
    select 'pg_catalog.pg_amproc'::pg_catalog.regclass, a.oid, f.opfnamespace, null, null, null,
        pg_catalog.json_build_object('function', amproc::pg_catalog.regprocedure)
    from pg_catalog.pg_amproc a join user_family f on f.oid = amprocfamily
    where a.oid >= 16384
    union all
    select 'pg_catalog.pg_cast'::pg_catalog.regclass, oid, null, null, null, null,
        pg_catalog.json_build_object('function', nullif(castfunc, 0)::pg_catalog.regprocedure, 'context', castcontext,
            'method', castmethod)
    from pg_catalog.pg_cast
    where oid >= 16384
    union all
    select 'pg_catalog.pg_language'::pg_catalog.regclass, oid, null, lanowner, 'l', lanacl,
        pg_catalog.json_build_object('trusted', lanpltrusted,
            'handler', nullif(lanplcallfoid, 0)::pg_catalog.regprocedure,
            'inline', nullif(laninline, 0)::pg_catalog.regprocedure,
            'validator', nullif(lanvalidator, 0)::pg_catalog.regprocedure)
    from pg_catalog.pg_language
    where oid >= 16384
    union all
    select 'pg_catalog.pg_am'::pg_catalog.regclass, oid, null, null, null, null,
        pg_catalog.json_build_object('type', amtype, 'handler', amhandler::pg_catalog.regprocedure)
    from pg_catalog.pg_am
    where oid >= 16384
    union all
    select 'pg_catalog.pg_ts_config'::pg_catalog.regclass, c.oid, cfgnamespace, cfgowner, null, null,
        pg_catalog.json_build_object('parser', p.identity, 'mappings', (
            select pg_catalog.json_agg(pg_catalog.json_build_array(m.maptokentype,
                m.mapdict::pg_catalog.regdictionary) order by m.maptokentype, m.mapseqno)
            from pg_catalog.pg_ts_config_map m where m.mapcfg = c.oid))
    from pg_catalog.pg_ts_config c
    cross join lateral pg_catalog.pg_identify_object('pg_catalog.pg_ts_parser'::pg_catalog.regclass, cfgparser, 0) p
    where c.oid >= 16384
    union all
    select 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, d.oid, dictnamespace, dictowner, null, null,
        pg_catalog.json_build_object('template', t.identity, 'options', dictinitoption)
    from pg_catalog.pg_ts_dict d
    cross join lateral pg_catalog.pg_identify_object('pg_catalog.pg_ts_template'::pg_catalog.regclass,
        dicttemplate, 0) t
    where d.oid >= 16384
    union all
    select 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, oid, prsnamespace, null, null, null,
        pg_catalog.json_build_object('start', prsstart, 'token', prstoken, 'end', prsend, 'headline', prsheadline,
            'types', prslextype)
    from pg_catalog.pg_ts_parser
    where oid >= 16384
    union all
    select 'pg_catalog.pg_ts_template'::pg_catalog.regclass, oid, tmplnamespace, null, null, null,
        pg_catalog.json_build_object('init', tmplinit, 'lexize', tmpllexize)
    from pg_catalog.pg_ts_template
    where oid >= 16384
    union all
    select 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, oid, null, fdwowner, 'F', fdwacl,
        pg_catalog.json_build_object('handler', nullif(fdwhandler, 0)::pg_catalog.regprocedure,
            'validator', nullif(fdwvalidator, 0)::pg_catalog.regprocedure, 'options', (
                select pg_catalog.json_agg(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(o, 'UTF8')),
                    'hex') order by o collate "C") from pg_catalog.unnest(fdwoptions) o))
    from pg_catalog.pg_foreign_data_wrapper
    where oid >= 16384
    union all
    select 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, null, srvowner, 'S', srvacl,
        -- Keys of services may stand among the options, so each is a digest.
        pg_catalog.json_build_object('wrapper', fdwname, 'type', srvtype, 'version', srvversion, 'options', (
            select pg_catalog.json_agg(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(o, 'UTF8')),
                'hex') order by o collate "C") from pg_catalog.unnest(srvoptions) o))
    from pg_catalog.pg_foreign_server s join pg_catalog.pg_foreign_data_wrapper w on w.oid = srvfdw
    where s.oid >= 16384
    union all
    -- Its options hold passwords, and only a superuser sees them.
    select 'pg_catalog.pg_user_mapping'::pg_catalog.regclass, umid, null, null, null, null,
        pg_catalog.json_build_object()
    from pg_catalog.pg_user_mappings
    where umid >= 16384
    union all
    -- What only later majors have is taken from `earlier` before them. Only superusers may read the
    -- row as a whole: the connection holds a password.
    select 'pg_catalog.pg_subscription'::pg_catalog.regclass, s.oid, null, s.subowner, null, null, s.definition
    from (select true as subpasswordrequired, false as subrunasowner, false as subfailover, 'any' as suborigin) earlier
    cross join lateral (
        select oid, subowner, pg_catalog.json_build_object(
            'enabled', subenabled, 'slot', subslotname,
            'publications', (select pg_catalog.json_agg(o order by o collate "C")
                from pg_catalog.unnest(subpublications) o),
            'binary', nullif(subbinary, false), 'streaming', pg_catalog.left(substream::pg_catalog.text, 1),
            'two_phase', nullif(subtwophasestate <> 'd', false),
            'disable_on_error', nullif(subdisableonerr, false),
            'synchronous_commit', subsynccommit, 'password_required', nullif(subpasswordrequired, true),
            'run_as_owner', nullif(subrunasowner, false), 'failover', nullif(subfailover, false),
            'origin', nullif(suborigin, 'any')) as definition
        from pg_catalog.pg_subscription
        where oid >= 16384
            and subdbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
    ) s
    union all
    select 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, oid, stxnamespace, stxowner, null, null,
        pg_catalog.json_build_object('definition', pg_catalog.pg_get_statisticsobjdef(oid),
            'target', nullif(coalesce(pg_catalog.to_jsonb(s) ->> 'stxstattarget', '-1'), '-1'))
    from pg_catalog.pg_statistic_ext s
    where oid >= 16384
),
