-- twolane's stand-in for uuid-ossp, for the embedded Postgres.
--
-- Exact: v3, v4, v5 and the constants. v1 and v1mc are of the form that RFC 9562 gives version 1:
-- time, random clock sequence, random node; the real v1 has the network card's address for a node.
--
-- Bodies are bound when they are created, or have a search_path of their own: the caller's changes
-- nothing, and `alter extension … set schema` moves them.

create function uuid_nil() returns uuid
    language sql immutable strict parallel safe
    return '00000000-0000-0000-0000-000000000000'::uuid;

create function uuid_ns_dns() returns uuid
    language sql immutable strict parallel safe
    return '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid;

create function uuid_ns_url() returns uuid
    language sql immutable strict parallel safe
    return '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid;

create function uuid_ns_oid() returns uuid
    language sql immutable strict parallel safe
    return '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid;

create function uuid_ns_x500() returns uuid
    language sql immutable strict parallel safe
    return '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid;

create function uuid_generate_v4() returns uuid
    language internal volatile strict parallel safe
    as 'gen_random_uuid';

-- The first 16 bytes, with the version and the variant written into them.
create function twolane_uuid(bytes bytea, version integer) returns uuid
    language sql immutable strict parallel safe
    return encode(
        set_byte(
            set_byte(substring(bytes from 1 for 16), 6, (get_byte(bytes, 6) & 15) | (version << 4)),
            8, (get_byte(bytes, 8) & 63) | 128
        ),
        'hex')::uuid;

-- FIPS 180-4. Postgres has every hash of SHA-2 built in, but not this one.
create function twolane_uuid_sha1(message bytea) returns bytea
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog
    as $$
    declare
        mask constant bigint := 4294967295;
        padded bytea := message || '\x80'
            || decode(repeat('00', (119 - length(message) % 64) % 64), 'hex')
            || int8send(8 * length(message)::bigint);
        h bigint[] := array[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
        w bigint[];
        a bigint; b bigint; c bigint; d bigint; e bigint;
        t bigint;
    begin
        for block in 0 .. length(padded) / 64 - 1 loop
            for i in 0 .. 15 loop
                w[i] := ('x' || encode(substr(padded, 64 * block + 4 * i + 1, 4), 'hex'))::bit(32)::bigint;
            end loop;
            for i in 16 .. 79 loop
                t := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
                w[i] := ((t << 1) | (t >> 31)) & mask;
            end loop;
            a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
            for i in 0 .. 79 loop
                t := (((a << 5) | (a >> 27)) & mask) + e + w[i] + case i / 20
                    when 0 then ((b & c) | ((~b) & d)) + 1518500249
                    when 1 then (b # c # d) + 1859775393
                    when 2 then ((b & c) | (b & d) | (c & d)) + 2400959708
                    else (b # c # d) + 3395469782
                end;
                e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := t & mask;
            end loop;
            h := array[
                (h[1] + a) & mask, (h[2] + b) & mask, (h[3] + c) & mask, (h[4] + d) & mask, (h[5] + e) & mask];
        end loop;
        return decode(
            (select string_agg(lpad(to_hex(x), 8, '0'), '' order by i) from unnest(h) with ordinality as u(x, i)),
            'hex');
    end $$;

create function uuid_generate_v3(namespace uuid, name text) returns uuid
    language sql immutable strict parallel safe
    return twolane_uuid(
        decode(md5(uuid_send(namespace) || convert_to(name, getdatabaseencoding())), 'hex'), 3);

create function uuid_generate_v5(namespace uuid, name text) returns uuid
    language sql immutable strict parallel safe
    return twolane_uuid(
        twolane_uuid_sha1(uuid_send(namespace) || convert_to(name, getdatabaseencoding())), 5);

-- Time in hundreds of nanoseconds since 1582-10-15, lowest part first; then the variant and 14
-- random bits, which a random UUID has at the same place; then a random node, whose multicast bit
-- says that it is no network card's.
create function uuid_generate_v1() returns uuid
    language plpgsql volatile strict parallel safe
    set search_path = pg_catalog
    as $$
    declare
        ticks bigint := extract(epoch from clock_timestamp()) * 10000000 + 122192928000000000;
        random bytea := uuid_send(gen_random_uuid());
    begin
        return concat(
            lpad(to_hex(ticks & 4294967295), 8, '0'),
            lpad(to_hex((ticks >> 32) & 65535), 4, '0'),
            to_hex(((ticks >> 48) & 4095) | 4096),
            encode(substr(set_byte(random, 10, get_byte(random, 10) | 1), 9), 'hex')
        )::uuid;
    end $$;

create function uuid_generate_v1mc() returns uuid
    language sql volatile strict parallel safe
    return uuid_generate_v1();

-- Whoever makes it is told what it is.
do $$ begin
    raise warning '%', (
        select pg_catalog.obj_description(oid, 'pg_extension')
        from pg_catalog.pg_extension where extname = 'uuid-ossp');
end $$;
