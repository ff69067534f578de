-- The settings come first because the functions that print definitions obey them: with an empty
-- search_path every name is printed with its schema. They hold for this transaction only.
select pg_catalog.set_config(name, value, true)
from (values
    ('search_path', ''), ('quote_all_identifiers', 'off'), ('DateStyle', 'ISO, YMD'),
    ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), ('extra_float_digits', '1'),
    ('bytea_output', 'hex'), ('xmlbinary', 'base64'), ('lc_monetary', 'C'),
    ('standard_conforming_strings', 'on'), ('lock_timeout', '5s'),
    -- Compiling the query takes longer than running it; with less memory it goes by way of the disk.
    -- Tables are hashed here as fast as they are merged, and planning takes a tenth less.
    ('jit', 'off'), ('work_mem', '64MB'), ('enable_mergejoin', 'off')
) as setting (name, value);
