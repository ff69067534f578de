"""What of the catalogs is no fact, each with its reason."""

CATALOGS = {
    "pg_auth_members": "cluster",
    "pg_authid": "cluster",
    "pg_database": "cluster",
    "pg_db_role_setting": "settings",
    "pg_depend": "how objects hang together",
    "pg_init_privs": "what extensions and initdb granted",
    "pg_largeobject": "rows",
    "pg_largeobject_metadata": "rows",
    "pg_parameter_acl": "cluster",
    "pg_replication_origin": "cluster",
    "pg_shdepend": "how objects hang together",
    "pg_shdescription": "cluster",
    "pg_shseclabel": "cluster",
    "pg_statistic": "statistics of rows",
    "pg_statistic_ext_data": "statistics of rows",
    "pg_subscription": "shared by all databases, so that a test of its own sees to it",
    "pg_subscription_rel": "the state of replication",
    "pg_tablespace": "cluster",
}

# Rows that stand for nothing a user made by itself: the condition on a row `t` → the reason.
ROWS = {
    "pg_attribute": {
        "attnum < 0": "every table has them",
        "attisdropped": "history",
        "attrelid in (select oid from pg_class where relkind in ('i', 'I', 't', 'S'))": (
            "follow from the table's"
        ),
    },
    "pg_class": {
        "relkind = 't' or relnamespace = 'pg_toast'::regnamespace": "where rows are kept",
        "relkind in ('i', 'I') and relispartition": "follows from the parent's index",
        "oid in (select conindid from pg_constraint)": "stands with its constraint",
    },
    "pg_constraint": {
        "contype = 'n'": "stands with the column, as on majors that have no such row",
        "conparentid <> 0 or (coninhcount > 0 and not conislocal)": "follows from the parent's",
    },
    "pg_index": {
        "indrelid in (select oid from pg_class where relkind = 't')": "where rows are kept",
        "indexrelid in (select oid from pg_class where relispartition)": (
            "follows from the parent's"
        ),
        "indexrelid in (select conindid from pg_constraint)": "stands with its constraint",
    },
    "pg_inherits": {
        "inhrelid in (select oid from pg_class where relkind in ('i', 'I'))": (
            "follow from the tables'"
        ),
    },
    "pg_proc": {
        "prorettype in (select oid from pg_type where typtype in ('r', 'm'))": "made for a range",
    },
    "pg_cast": {
        "casttarget in (select oid from pg_type where typtype = 'm')": "made for a range",
    },
    "pg_trigger": {
        "tgisinternal": "follow from the constraint",
        "tgparentid <> 0": "follows from the parent's",
    },
    "pg_type": {
        "typtype = 'm'": "made for a range",
        "typcategory = 'A'": "made for its element",
        "typrelid in (select oid from pg_class where relkind <> 'c')": "made for a relation",
    },
}

# The reason → the columns.
COLUMNS = {
    "the row's own number": """
        pg_am.oid pg_amop.oid pg_amproc.oid pg_attrdef.oid pg_cast.oid pg_class.oid
        pg_collation.oid pg_constraint.oid pg_conversion.oid pg_default_acl.oid pg_enum.oid
        pg_event_trigger.oid pg_extension.oid pg_foreign_data_wrapper.oid pg_foreign_server.oid
        pg_language.oid pg_namespace.oid pg_opclass.oid pg_operator.oid pg_opfamily.oid
        pg_policy.oid pg_proc.oid pg_publication.oid pg_publication_namespace.oid
        pg_publication_rel.oid pg_rewrite.oid pg_statistic_ext.oid pg_transform.oid pg_trigger.oid
        pg_ts_config.oid pg_ts_dict.oid pg_ts_parser.oid pg_ts_template.oid pg_type.oid
        pg_user_mapping.oid
    """,
    "the name, or what it is on: another one is another fact": """
        pg_aggregate.aggfnoid pg_am.amname pg_amop.amopfamily pg_amop.amoplefttype
        pg_amop.amopmethod pg_amop.amoprighttype pg_amop.amopstrategy pg_amproc.amprocfamily
        pg_amproc.amproclefttype pg_amproc.amprocnum pg_amproc.amprocrighttype pg_attrdef.adnum
        pg_attrdef.adrelid pg_attribute.attrelid pg_cast.castsource pg_cast.casttarget
        pg_class.relkind pg_collation.collname pg_collation.collnamespace pg_constraint.conrelid
        pg_constraint.contypid pg_conversion.conname pg_conversion.connamespace
        pg_default_acl.defaclnamespace pg_default_acl.defaclobjtype pg_default_acl.defaclrole
        pg_description.classoid pg_description.objoid pg_description.objsubid pg_enum.enumtypid
        pg_event_trigger.evtname pg_extension.extname pg_foreign_data_wrapper.fdwname
        pg_foreign_table.ftrelid pg_index.indexrelid pg_index.indrelid pg_inherits.inhparent
        pg_inherits.inhrelid pg_inherits.inhseqno pg_language.lanname pg_opclass.opcmethod
        pg_opclass.opcname pg_opclass.opcnamespace pg_operator.oprkind pg_operator.oprleft
        pg_operator.oprname pg_operator.oprnamespace pg_operator.oprright pg_opfamily.opfmethod
        pg_opfamily.opfname pg_opfamily.opfnamespace pg_partitioned_table.partrelid
        pg_policy.polrelid pg_proc.proargtypes pg_proc.prokind pg_publication_namespace.pnnspid
        pg_publication_namespace.pnpubid pg_publication_rel.prpubid pg_publication_rel.prrelid
        pg_range.rngtypid pg_rewrite.ev_class pg_rewrite.rulename pg_seclabel.classoid
        pg_seclabel.objoid pg_seclabel.objsubid pg_seclabel.provider pg_sequence.seqrelid
        pg_statistic_ext.stxname pg_statistic_ext.stxnamespace pg_transform.trflang
        pg_transform.trftype pg_trigger.tgname pg_trigger.tgrelid pg_ts_config.cfgname
        pg_ts_config.cfgnamespace pg_ts_config_map.mapcfg pg_ts_config_map.mapseqno
        pg_ts_config_map.maptokentype pg_ts_dict.dictname pg_ts_dict.dictnamespace
        pg_ts_parser.prsname pg_ts_parser.prsnamespace pg_ts_template.tmplname
        pg_ts_template.tmplnamespace pg_type.typnamespace pg_type.typtype pg_user_mapping.umserver
        pg_user_mapping.umuser
    """,
    "history: the order of columns, who ran the command": """
        pg_attribute.attnum pg_extension.extowner
    """,
    "follows from the type": """
        pg_attribute.attalign pg_attribute.attbyval pg_attribute.attlen pg_constraint.conffeqop
        pg_constraint.conpfeqop pg_constraint.conppeqop
    """,
    "Postgres does not look at it": "pg_attribute.attndims pg_type.typndims",
    "follows from another row": """
        pg_attribute.atthasdef pg_class.relchecks pg_class.relhasindex pg_class.relhasrules
        pg_class.relhassubclass pg_class.relhastriggers pg_class.relispartition pg_class.relnatts
        pg_class.relrewrite pg_class.reltoastrelid pg_class.reltype pg_constraint.conindid
        pg_constraint.connamespace pg_constraint.conparentid pg_index.indimmediate
        pg_index.indisexclusion pg_index.indisprimary pg_partitioned_table.partdefid
        pg_trigger.tgconstrindid pg_trigger.tgisinternal pg_trigger.tgparentid pg_type.typrelid
    """,
    "follows from another column": """
        pg_class.relisshared pg_collation.collencoding pg_language.lanispl pg_proc.pronargdefaults
        pg_proc.pronargs pg_proc.provariadic pg_type.typdefaultbin
    """,
    "rows, and statistics of them": """
        pg_attribute.atthasmissing pg_attribute.attmissingval pg_class.relallfrozen
        pg_class.relallvisible pg_class.relfilenode pg_class.relfrozenxid pg_class.relispopulated
        pg_class.relminmxid pg_class.relpages pg_class.reltuples
    """,
    "the state of a command under way": """
        pg_attribute.attcacheoff pg_index.indcheckxmin pg_index.indislive pg_index.indisready
        pg_inherits.inhdetachpending
    """,
    "the version of a library or an extension": """
        pg_collation.collversion pg_extension.extcondition pg_extension.extconfig
        pg_extension.extrelocatable pg_extension.extversion
    """,
    "passwords": "pg_user_mapping.umoptions",
    "a label needs a provider, so that a test of its own sees to it": "pg_seclabel.label",
}
