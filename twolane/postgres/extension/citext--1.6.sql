-- twolane's stand-in for citext, for the embedded Postgres.
--
-- Exact: the type, its casts, operators, indexes (btree, hash), aggregates and functions. Texts are
-- the same if their lower cases by the database's collation are; they are ordered, as lower cases,
-- by the collation of the expression. A comparison takes about a microsecond, ten times as long as
-- the real one's.
--
-- Comparisons are in plpgsql, because SQL functions would be written out in the caller's query,
-- where no index is found any more. Bodies name everything by its schema, or are bound when they are
-- created: the caller's search_path changes nothing, and `alter extension … set schema` moves them.

create type citext;

create function citextin(cstring) returns citext
    language internal immutable strict parallel safe as 'textin';
create function citextout(citext) returns cstring
    language internal immutable strict parallel safe as 'textout';
create function citextrecv(internal) returns citext
    language internal stable strict parallel safe as 'textrecv';
create function citextsend(citext) returns bytea
    language internal stable strict parallel safe as 'textsend';

create type citext (
    input = citextin, output = citextout, receive = citextrecv, send = citextsend,
    internallength = variable, storage = extended, category = 'S', preferred = false,
    collatable = true
);

create function citext(character) returns citext
    language internal immutable strict parallel safe as 'rtrim1';
create function citext(boolean) returns citext
    language internal immutable strict parallel safe as 'booltext';
create function citext(inet) returns citext
    language internal immutable strict parallel safe as 'network_show';

create cast (citext as text) without function as implicit;
create cast (citext as character varying) without function as implicit;
create cast (citext as character) without function as assignment;
create cast (text as citext) without function as assignment;
create cast (character varying as citext) without function as assignment;
create cast (character as citext) with function citext(character) as assignment;
create cast (boolean as citext) with function citext(boolean) as assignment;
create cast (inet as citext) with function citext(inet) as assignment;

-- Sameness. The function of text sees the lower cases; its collation is the database's.
do $do$
declare
    declaration text[];
    lowered constant text := 'pg_catalog.lower($%s::pg_catalog.text collate pg_catalog."default")';
begin
    foreach declaration slice 1 in array array[
        ['citext_eq(citext, citext)', 'boolean', 'texteq', format(lowered, 2)],
        ['citext_ne(citext, citext)', 'boolean', 'textne', format(lowered, 2)],
        ['citext_pattern_cmp(citext, citext)', 'integer', 'bttext_pattern_cmp', format(lowered, 2)],
        ['citext_pattern_lt(citext, citext)', 'boolean', 'text_pattern_lt', format(lowered, 2)],
        ['citext_pattern_le(citext, citext)', 'boolean', 'text_pattern_le', format(lowered, 2)],
        ['citext_pattern_ge(citext, citext)', 'boolean', 'text_pattern_ge', format(lowered, 2)],
        ['citext_pattern_gt(citext, citext)', 'boolean', 'text_pattern_gt', format(lowered, 2)],
        ['citext_hash(citext)', 'integer', 'hashtext', null],
        ['citext_hash_extended(citext, bigint)', 'bigint', 'hashtextextended', '$2']
    ] loop
        execute format(
            'create function %s returns %s language plpgsql immutable strict parallel safe as %L',
            declaration[1], declaration[2],
            format('begin return pg_catalog.%s(%s); end',
                declaration[3], concat_ws(', ', format(lowered, 1), declaration[4])));
    end loop;
end $do$;

-- Order. A parameter has the caller's collation, so the lower cases are put into the parameters.
do $do$
declare
    declaration text[];
begin
    foreach declaration slice 1 in array array[
        ['citext_cmp', 'integer', 'bttextcmp'],
        ['citext_lt', 'boolean', 'text_lt'],
        ['citext_le', 'boolean', 'text_le'],
        ['citext_ge', 'boolean', 'text_ge'],
        ['citext_gt', 'boolean', 'text_gt']
    ] loop
        execute format(
            $create$
            create function %s(citext, citext) returns %s
                language plpgsql immutable strict parallel safe as $body$ begin
                $1 := pg_catalog.lower($1::pg_catalog.text collate pg_catalog."default");
                $2 := pg_catalog.lower($2::pg_catalog.text collate pg_catalog."default");
                return pg_catalog.%s($1::pg_catalog.text, $2::pg_catalog.text);
            end $body$
            $create$,
            declaration[1], declaration[2], declaration[3]);
    end loop;
end $do$;

-- The smaller and the larger one as it is written; of two that are the same, the second.
create function citext_smaller(citext, citext) returns citext
    language plpgsql immutable strict parallel safe as $$
    declare
        l constant pg_catalog.text := $1;
        r constant pg_catalog.text := $2;
    begin
        $1 := pg_catalog.lower(l collate pg_catalog."default");
        $2 := pg_catalog.lower(r collate pg_catalog."default");
        return case when pg_catalog.text_lt($1::pg_catalog.text, $2::pg_catalog.text) then l else r end;
    end $$;

create function citext_larger(citext, citext) returns citext
    language plpgsql immutable strict parallel safe as $$
    declare
        l constant pg_catalog.text := $1;
        r constant pg_catalog.text := $2;
    begin
        $1 := pg_catalog.lower(l collate pg_catalog."default");
        $2 := pg_catalog.lower(r collate pg_catalog."default");
        return case when pg_catalog.text_gt($1::pg_catalog.text, $2::pg_catalog.text) then l else r end;
    end $$;

create operator = (
    leftarg = citext, rightarg = citext, function = citext_eq, commutator = =, negator = <>,
    restrict = eqsel, join = eqjoinsel, hashes, merges
);
create operator <> (
    leftarg = citext, rightarg = citext, function = citext_ne, commutator = <>, negator = =,
    restrict = neqsel, join = neqjoinsel
);
create operator < (
    leftarg = citext, rightarg = citext, function = citext_lt, commutator = >, negator = >=,
    restrict = scalarltsel, join = scalarltjoinsel
);
create operator <= (
    leftarg = citext, rightarg = citext, function = citext_le, commutator = >=, negator = >,
    restrict = scalarlesel, join = scalarlejoinsel
);
create operator >= (
    leftarg = citext, rightarg = citext, function = citext_ge, commutator = <=, negator = <,
    restrict = scalargesel, join = scalargejoinsel
);
create operator > (
    leftarg = citext, rightarg = citext, function = citext_gt, commutator = <, negator = <=,
    restrict = scalargtsel, join = scalargtjoinsel
);
create operator ~<~ (
    leftarg = citext, rightarg = citext, function = citext_pattern_lt, commutator = ~>~,
    negator = ~>=~, restrict = scalarltsel, join = scalarltjoinsel
);
create operator ~<=~ (
    leftarg = citext, rightarg = citext, function = citext_pattern_le, commutator = ~>=~,
    negator = ~>~, restrict = scalarltsel, join = scalarltjoinsel
);
create operator ~>=~ (
    leftarg = citext, rightarg = citext, function = citext_pattern_ge, commutator = ~<=~,
    negator = ~<~, restrict = scalargtsel, join = scalargtjoinsel
);
create operator ~>~ (
    leftarg = citext, rightarg = citext, function = citext_pattern_gt, commutator = ~<~,
    negator = ~<=~, restrict = scalargtsel, join = scalargtjoinsel
);

create operator class citext_ops default for type citext using btree as
    operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >,
    function 1 citext_cmp(citext, citext);
create operator class citext_ops default for type citext using hash as
    operator 1 =,
    function 1 citext_hash(citext), function 2 citext_hash_extended(citext, bigint);
create operator class citext_pattern_ops for type citext using btree as
    operator 1 ~<~, operator 2 ~<=~, operator 3 =, operator 4 ~>=~, operator 5 ~>~,
    function 1 citext_pattern_cmp(citext, citext);

create aggregate min(citext) (
    sfunc = citext_smaller, stype = citext, combinefunc = citext_smaller, sortop = <, parallel = safe
);
create aggregate max(citext) (
    sfunc = citext_larger, stype = citext, combinefunc = citext_larger, sortop = >, parallel = safe
);

-- Patterns: LIKE and regular expressions, for which case never counts.
do $do$
declare
    pattern text;
    declaration text[];
begin
    foreach pattern in array array['citext', 'text'] loop
        foreach declaration slice 1 in array array[
            ['texticlike', '~~', '!~~', 'iclike'], ['texticnlike', '!~~', '~~', 'icnlike'],
            ['texticregexeq', '~', '!~', 'icregexeq'], ['texticregexne', '!~', '~', 'icregexne']
        ] loop
            execute format(
                'create function %1$s(citext, %2$s) returns boolean
                    language internal immutable strict parallel safe as %1$L',
                declaration[1], pattern);
            execute format(
                'create operator %1$s (leftarg = citext, rightarg = %4$s, function = %3$s,
                    negator = %2$s, restrict = %5$ssel, join = %5$sjoinsel);
                create operator %1$s* (leftarg = citext, rightarg = %4$s, function = %3$s,
                    negator = %2$s*, restrict = %5$ssel, join = %5$sjoinsel)',
                declaration[2], declaration[3], declaration[1], pattern, declaration[4]);
        end loop;
    end loop;
end $do$;

-- The functions of text that look for something: they find it whatever its case. Flags add `i`
-- unless they hold a `c`.
do $do$
declare
    declaration text[];
    flags constant text := $$case pg_catalog.strpos(%1$s, 'c') when 0 then pg_catalog.concat(%1$s, 'i') else %1$s end$$;
    found constant text := $$pg_catalog.regexp_replace($2::pg_catalog.text, '([^a-zA-Z_0-9])', '\\\1', 'g')$$;
begin
    foreach declaration slice 1 in array array[
        ['regexp_match(citext, citext)', 'text[]', '''i'''],
        ['regexp_match(citext, citext, text)', 'text[]', format(flags, '$3')],
        ['regexp_matches(citext, citext)', 'setof text[]', '''i'''],
        ['regexp_matches(citext, citext, text)', 'setof text[]', format(flags, '$3')],
        ['regexp_replace(citext, citext, text)', 'text', '$3, ''i'''],
        ['regexp_replace(citext, citext, text, text)', 'text', '$3, ' || format(flags, '$4')],
        ['regexp_split_to_array(citext, citext)', 'text[]', '''i'''],
        ['regexp_split_to_array(citext, citext, text)', 'text[]', format(flags, '$3')],
        ['regexp_split_to_table(citext, citext)', 'setof text', '''i'''],
        ['regexp_split_to_table(citext, citext, text)', 'setof text', format(flags, '$3')]
    ] loop
        execute format(
            'create function %s returns %s language sql immutable strict parallel safe as %L',
            declaration[1], declaration[2],
            format('select pg_catalog.%s($1::pg_catalog.text, $2::pg_catalog.text, %s)',
                split_part(declaration[1], '(', 1), declaration[3]));
    end loop;
    execute format(
        'create function replace(citext, citext, citext) returns text
            language sql immutable strict parallel safe as %L',
        'select pg_catalog.regexp_replace($1::pg_catalog.text, ' || found || $$, $3::pg_catalog.text, 'gi')$$);
    execute format(
        'create function split_part(citext, citext, integer) returns text
            language sql immutable strict parallel safe as %L',
        'select (pg_catalog.regexp_split_to_array($1::pg_catalog.text, ' || found || $$, 'i'))[$3]$$);
end $do$;

create function strpos(citext, citext) returns integer
    language sql immutable strict parallel safe as $$
    select pg_catalog.strpos(
        pg_catalog.lower($1::pg_catalog.text), pg_catalog.lower($2::pg_catalog.text)) $$;

create function translate(citext, citext, text) returns text
    language sql immutable strict parallel safe as $$
    select pg_catalog.translate(
        pg_catalog.translate($1::pg_catalog.text, pg_catalog.lower($2::pg_catalog.text), $3),
        pg_catalog.upper($2::pg_catalog.text), $3) $$;

-- Whoever makes it is told what it is.
do $$ begin
    raise warning '%', (
        select pg_catalog.obj_description(oid, 'pg_extension')
        from pg_catalog.pg_extension where extname = 'citext');
end $$;
