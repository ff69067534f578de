-- twolane's stand-in for pg_trgm, for the embedded Postgres.
--
-- Exact: every function and operator, and the thresholds, set by set_limit or `pg_trgm.…_threshold`.
-- Indexes with gin_trgm_ops and gist_trgm_ops can be made and take rows, but hold no trigrams and no
-- query uses them: what they would speed up is found without them. gist_trgm_ops makes no exclusion
-- constraint.
--
-- Bodies are bound when they are created, or have a search_path of their own: the caller's changes
-- nothing, and `alter extension … set schema` moves them.

-- The trigrams of a text in their order, each as often as it occurs: words are of letters and digits,
-- in lower case, with two blanks before and one after them. A trigram is a number: its three bytes,
-- or if it is not of ASCII alone, the last three of a hash (the "legacy" CRC-32 of
-- src/include/utils/pg_crc.h, which goes through the table of the ordinary one, crc32() of each
-- single byte, in the other direction). 2^24 marks the first of a word, 2^25 the last.
create function twolane_trigrams(text) returns integer[]
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog
    as $$
    declare
        mask constant bigint := 4294967295;
        word text;
        one text;
        two text;
        three text;
        bytes bytea;
        crc bigint;
        first boolean;
        result integer[] := '{}';
        n integer := 0;
    begin
        for word in select m[1] from regexp_matches($1 collate "default", '[[:alnum:]]+', 'g') as m loop
            one := ' ';
            two := ' ';
            first := true;
            foreach three in array string_to_array(lower(word collate "default") || ' ', null) loop
                bytes := convert_to(one || two || three, getdatabaseencoding());
                if length(bytes) > 3 then
                    crc := mask;
                    for i in 0 .. length(bytes) - 1 loop
                        crc := ((crc << 8) # 4278190080 # crc32(
                            set_byte('\x00', 0, ((crc >> 24)::integer # get_byte(bytes, i)) # 255))) & mask;
                    end loop;
                    bytes := reverse(int8send(crc # mask));
                end if;
                n := n + 1;
                result[n] := (get_byte(bytes, 0) << 16) + (get_byte(bytes, 1) << 8) + get_byte(bytes, 2)
                    + case when first then 16777216 else 0 end;
                first := false;
                one := two;
                two := three;
            end loop;
            result[n] := result[n] + 33554432;
        end loop;
        return result;
    end $$;

-- The same as a set, in the order of show_trgm: by bytes, of which the larger half is negative.
create function twolane_trigram_set(text) returns integer[]
    language sql immutable strict parallel safe
    return array(
        select distinct (trigram & 16777215) # 8421504
        from unnest(twolane_trigrams($1)) as trigram
        order by 1);

create function show_trgm(text) returns text[]
    language sql immutable strict parallel safe
    begin atomic
        select coalesce(array_agg(
            case when t.name ~ '^[ a-zA-Z0-9]{3}$' then t.name else '0x' || encode(bytes, 'hex') end
            order by place), '{}')
        from unnest(twolane_trigram_set($1)) with ordinality as s (flipped, place),
            lateral (select substr(int4send(flipped # 8421504), 2)) as b (bytes),
            lateral (select encode(bytes, 'escape')) as t (name);
    end;

create function similarity(text, text) returns real
    language sql immutable strict parallel safe
    begin atomic
        select case
            when cardinality(a) = 0 or cardinality(b) = 0 then 0
            else common::real / (cardinality(a) + cardinality(b) - common)::real
        end
        from (select twolane_trigram_set($1), twolane_trigram_set($2) offset 0) as s (a, b),
            lateral (
                select count(*) from unnest(a) as t (trigram) join unnest(b) as u (trigram) using (trigram)
            ) as c (common);
    end;

-- The greatest similarity of the needle's trigrams to those of a part of the haystack. A part begins
-- and ends with a trigram of the needle; if strict, with a word. It grows to the right, and at every
-- end it is cut from the left where that makes it more similar.
create function twolane_word_similarity(needle integer[], haystack integer[], strict boolean) returns real
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog
    as $$
    declare
        wanted integer;         -- different trigrams of the needle
        present integer := 0;   -- different trigrams of the part
        common integer := 0;    -- of them, those of the needle
        number integer[];       -- by place: the first place of the same trigram
        found boolean[];        -- by place: is it the needle's?
        last integer[];         -- by number: the last place in the part
        lower integer := case when strict then 1 end;
        first integer;
        left_present integer;
        left_common integer;
        best real := 0;
        score real;
        rest real;
    begin
        select count(distinct t & 16777215) into wanted from unnest(needle) as t;
        select array_agg(n order by place), array_agg(is_needle order by place) into number, found
        from (
            select place, min(place) over (partition by t & 16777215) as n,
                (t & 16777215) in (select x & 16777215 from unnest(needle) as x) as is_needle
            from unnest(haystack) with ordinality as h (t, place)) as x;
        for i in 1 .. cardinality(haystack) loop
            if lower is not null or found[i] then
                if last[number[i]] is null then
                    present := present + 1;
                    common := common + found[i]::integer;
                end if;
                last[number[i]] := i;
            end if;
            continue when not case when strict then haystack[i] >= 33554432 else found[i] end;
            if lower is null then
                lower := i;
                present := 1;
            end if;
            score := common::real / (wanted + present - common)::real;
            first := lower;
            left_present := present;
            left_common := common;
            for j in first .. i loop
                if not strict or haystack[j] & 16777216 <> 0 then
                    rest := left_common::real / (wanted + left_present - left_common)::real;
                    if rest > score then
                        score := rest;
                        lower := j;
                        present := left_present;
                        common := left_common;
                    end if;
                end if;
                if last[number[j]] = j then
                    left_present := left_present - 1;
                    left_common := left_common - found[j]::integer;
                end if;
            end loop;
            best := greatest(best, score);
            for j in first .. lower - 1 loop
                if last[number[j]] = j then
                    last[number[j]] := null;
                end if;
            end loop;
        end loop;
        return best;
    end $$;

create function word_similarity(text, text) returns real
    language sql immutable strict parallel safe
    return twolane_word_similarity(twolane_trigrams($1), twolane_trigrams($2), false);

create function strict_word_similarity(text, text) returns real
    language sql immutable strict parallel safe
    return twolane_word_similarity(twolane_trigrams($1), twolane_trigrams($2), true);

-- Thresholds. The real one has them as settings with a type; here they are checked when used.
create function twolane_threshold(setting text, unset real) returns double precision
    language plpgsql stable strict parallel safe
    set search_path = pg_catalog
    as $$
    declare
        name constant text := concat('pg_trgm.', setting);
        value constant double precision :=
            coalesce(nullif(current_setting(name, true), '')::double precision, unset);
    begin
        if value between 0 and 1 then
            return value;
        end if;
        raise exception '% is outside the valid range for parameter "%" (0 .. 1)', value, name
            using errcode = 'invalid_parameter_value';
    end $$;

create function show_limit() returns real
    language sql stable strict parallel safe
    return twolane_threshold('similarity_threshold', 0.3)::real;

create function set_limit(real) returns real
    language plpgsql volatile strict parallel unsafe
    set search_path = pg_catalog
    as $$
    declare
        name constant text := 'pg_trgm.similarity_threshold';
    begin
        if $1 not between 0 and 1 then
            raise exception '% is outside the valid range for parameter "%" (0 .. 1)', $1, name
                using errcode = 'invalid_parameter_value';
        end if;
        perform set_config(name, $1::text, false);
        return $1;
    end $$;

create function similarity_op(text, text) returns boolean
    language sql stable strict parallel safe
    return similarity($1, $2)::double precision >= twolane_threshold('similarity_threshold', 0.3);

create function similarity_dist(text, text) returns real
    language sql immutable strict parallel safe
    return 1 - similarity($1, $2);

create function word_similarity_op(text, text) returns boolean
    language sql stable strict parallel safe
    return word_similarity($1, $2)::double precision >= twolane_threshold('word_similarity_threshold', 0.6);

create function word_similarity_commutator_op(text, text) returns boolean
    language sql stable strict parallel safe
    return word_similarity_op($2, $1);

create function word_similarity_dist_op(text, text) returns real
    language sql immutable strict parallel safe
    return 1 - word_similarity($1, $2);

create function word_similarity_dist_commutator_op(text, text) returns real
    language sql immutable strict parallel safe
    return 1 - word_similarity($2, $1);

create function strict_word_similarity_op(text, text) returns boolean
    language sql stable strict parallel safe
    return strict_word_similarity($1, $2)::double precision
        >= twolane_threshold('strict_word_similarity_threshold', 0.5);

create function strict_word_similarity_commutator_op(text, text) returns boolean
    language sql stable strict parallel safe
    return strict_word_similarity_op($2, $1);

create function strict_word_similarity_dist_op(text, text) returns real
    language sql immutable strict parallel safe
    return 1 - strict_word_similarity($1, $2);

create function strict_word_similarity_dist_commutator_op(text, text) returns real
    language sql immutable strict parallel safe
    return 1 - strict_word_similarity($2, $1);

create operator % (
    leftarg = text, rightarg = text, function = similarity_op, commutator = %,
    restrict = matchingsel, join = matchingjoinsel
);
create operator <% (
    leftarg = text, rightarg = text, function = word_similarity_op, commutator = %>,
    restrict = matchingsel, join = matchingjoinsel
);
create operator %> (
    leftarg = text, rightarg = text, function = word_similarity_commutator_op, commutator = <%,
    restrict = matchingsel, join = matchingjoinsel
);
create operator <<% (
    leftarg = text, rightarg = text, function = strict_word_similarity_op, commutator = %>>,
    restrict = matchingsel, join = matchingjoinsel
);
create operator %>> (
    leftarg = text, rightarg = text, function = strict_word_similarity_commutator_op,
    commutator = <<%, restrict = matchingsel, join = matchingjoinsel
);
create operator <-> (
    leftarg = text, rightarg = text, function = similarity_dist, commutator = <->
);
create operator <<-> (
    leftarg = text, rightarg = text, function = word_similarity_dist_op, commutator = <->>
);
create operator <->> (
    leftarg = text, rightarg = text, function = word_similarity_dist_commutator_op,
    commutator = <<->
);
create operator <<<-> (
    leftarg = text, rightarg = text, function = strict_word_similarity_dist_op, commutator = <->>>
);
create operator <->>> (
    leftarg = text, rightarg = text, function = strict_word_similarity_dist_commutator_op,
    commutator = <<<->
);

-- Indexes. Their operator classes have no operators, so no query can use them. Functions of an index
-- can only be in C: these are some of Postgres's own, which do for an index that nobody reads.

-- GIN: no keys, whatever the text. `void_in` returns zero and looks at nothing, and an item without
-- keys is kept as an empty one (ginExtractEntries in src/backend/access/gin/ginutil.c). The others
-- are for queries, and `shell_in` raises.
create function gin_extract_value_trgm(text, internal) returns internal
    language internal immutable strict parallel safe as 'void_in';
create function gin_extract_query_trgm(text, internal, smallint, internal, internal, internal, internal)
    returns internal
    language internal immutable strict parallel safe as 'shell_in';
create function gin_trgm_consistent(internal, smallint, text, integer, internal, internal, internal, internal)
    returns boolean
    language internal immutable strict parallel safe as 'shell_in';
create function gin_trgm_triconsistent(internal, smallint, text, integer, internal, internal, internal)
    returns "char"
    language internal immutable strict parallel safe as 'shell_in';

create operator class gin_trgm_ops for type text using gin as
    function 1 btint4cmp(integer, integer),
    function 2 gin_extract_value_trgm(text, internal),
    function 3 gin_extract_query_trgm(text, internal, smallint, internal, internal, internal, internal),
    function 4 gin_trgm_consistent(internal, smallint, text, integer, internal, internal, internal, internal),
    function 6 gin_trgm_triconsistent(internal, smallint, text, integer, internal, internal, internal),
    storage integer;

-- GiST: the same key of eight bytes for every text. Compression returns a pointer to it, of which
-- GiST reads the first eight bytes (gistCompressValues in src/backend/access/gist/gistutil.c);
-- `getdatabaseencoding` returns the address of a name of 64 bytes. The rest is what tsquery_ops has
-- for its keys, which are eight bytes by value, too.
create type gtrgm;
create function gtrgm_in(cstring) returns gtrgm
    language internal immutable strict parallel safe as 'shell_in';
create function gtrgm_out(gtrgm) returns cstring
    language internal immutable strict parallel safe as 'shell_out';
create type gtrgm (
    input = gtrgm_in, output = gtrgm_out, internallength = 8, passedbyvalue, alignment = double
);
create function gtrgm_consistent(internal, text, smallint, oid, internal) returns boolean
    language internal immutable strict parallel safe as 'shell_in';
create function gtrgm_distance(internal, text, smallint, oid, internal) returns double precision
    language internal immutable strict parallel safe as 'shell_in';
create function gtrgm_compress(internal) returns internal
    language internal immutable strict parallel safe as 'getdatabaseencoding';
create function gtrgm_decompress(internal) returns internal
    language internal immutable strict parallel safe as 'shell_in';
create function gtrgm_penalty(internal, internal, internal) returns internal
    language internal immutable strict parallel safe as 'gtsquery_penalty';
create function gtrgm_picksplit(internal, internal) returns internal
    language internal immutable strict parallel safe as 'gtsquery_picksplit';
create function gtrgm_union(internal, internal) returns gtrgm
    language internal immutable strict parallel safe as 'gtsquery_union';
create function gtrgm_same(gtrgm, gtrgm, internal) returns internal
    language internal immutable strict parallel safe as 'gtsquery_same';
-- `siglen`, as the signatures of tsvector_ops have it.
create function gtrgm_options(internal) returns void
    language internal immutable parallel safe as 'gtsvector_options';

create operator class gist_trgm_ops for type text using gist as
    function 1 gtrgm_consistent(internal, text, smallint, oid, internal),
    function 2 gtrgm_union(internal, internal),
    function 3 gtrgm_compress(internal),
    function 5 gtrgm_penalty(internal, internal, internal),
    function 6 gtrgm_picksplit(internal, internal),
    function 7 gtrgm_same(gtrgm, gtrgm, internal),
    function 10 gtrgm_options(internal),
    storage gtrgm;

-- Whoever makes it is told what it is.
do $$ begin
    raise warning '%', (
        select pg_catalog.obj_description(oid, 'pg_extension')
        from pg_catalog.pg_extension where extname = 'pg_trgm');
end $$;
