-- The catalogs of the whole server that this transaction wrote. Who grants something on a database
-- does not keep the lock; that the row is this transaction's tells.
held (name) as materialized (
    select c.relname
    from pg_catalog.pg_locks l
    join pg_catalog.pg_class c on c.oid = l.relation and c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
    where l.locktype = 'relation' and l.pid = pg_catalog.pg_backend_pid() and l.granted
        and l.mode = 'RowExclusiveLock' and (l.database = 0 or c.relname = 'pg_largeobject')
    union
    select 'pg_database'
    from pg_catalog.pg_database d
    cross join lateral (
        select pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8
    ) own (id)
    -- How far the row's transaction is ahead of this one; both count modulo 2^32.
    cross join lateral (
        select (d.xmin::pg_catalog.text::pg_catalog.int8 - own.id % 4294967296 + 6442450944)
            % 4294967296 - 2147483648
    ) ahead (number)
    where d.datname <> pg_catalog.current_database() and case when ahead.number >= 0 then
        pg_catalog.pg_xact_status(
            (own.id + ahead.number)::pg_catalog.text::pg_catalog.xid8
        ) = 'in progress' end
),
