-- twolane's stand-in for pgcrypto, for the embedded Postgres.
--
-- Exact: digest and hmac with md5, sha1, sha224, sha256, sha384 and sha512; gen_random_bytes and
-- gen_random_uuid, from the server's strong random source; gen_salt; crypt with the salts of bf
-- ($2a$) and md5 ($1$), where bf takes 0.3 seconds at its default cost and twice that a step more.
-- By name only, each raises feature_not_supported: crypt with other salts, other digests, encrypt,
-- decrypt, armor, and all of pgp_*.
--
-- Bodies are bound when they are created, or have a search_path of their own: the caller's changes
-- nothing, and `alter extension … set schema` moves them.

-- What is there by name only. (Not immutable, so that the planner doesn't call it by itself.)
create function twolane_by_name(what text) returns text
    language plpgsql stable strict parallel safe
    as $$ begin
        raise exception '% is there by name only: this pgcrypto is twolane''s stand-in', what
            using errcode = 'feature_not_supported',
            hint = 'The real one: `postgres` in [tool.twolane], a Postgres of this machine; or DATABASE_URL.';
    end $$;

do $do$
declare
    declaration text;
    call text;
begin
    foreach declaration in array array[
        'armor(bytea) returns text immutable',
        'armor(bytea, text[], text[]) returns text immutable',
        'dearmor(text) returns bytea immutable',
        'decrypt(bytea, bytea, text) returns bytea immutable',
        'decrypt_iv(bytea, bytea, bytea, text) returns bytea immutable',
        'encrypt(bytea, bytea, text) returns bytea immutable',
        'encrypt_iv(bytea, bytea, bytea, text) returns bytea immutable',
        'pgp_armor_headers(text, out key text, out value text) returns setof record immutable',
        'pgp_key_id(bytea) returns text immutable',
        'pgp_pub_decrypt(bytea, bytea) returns text immutable',
        'pgp_pub_decrypt(bytea, bytea, text) returns text immutable',
        'pgp_pub_decrypt(bytea, bytea, text, text) returns text immutable',
        'pgp_pub_decrypt_bytea(bytea, bytea) returns bytea immutable',
        'pgp_pub_decrypt_bytea(bytea, bytea, text) returns bytea immutable',
        'pgp_pub_decrypt_bytea(bytea, bytea, text, text) returns bytea immutable',
        'pgp_pub_encrypt(text, bytea) returns bytea volatile',
        'pgp_pub_encrypt(text, bytea, text) returns bytea volatile',
        'pgp_pub_encrypt_bytea(bytea, bytea) returns bytea volatile',
        'pgp_pub_encrypt_bytea(bytea, bytea, text) returns bytea volatile',
        'pgp_sym_decrypt(bytea, text) returns text immutable',
        'pgp_sym_decrypt(bytea, text, text) returns text immutable',
        'pgp_sym_decrypt_bytea(bytea, text) returns bytea immutable',
        'pgp_sym_decrypt_bytea(bytea, text, text) returns bytea immutable',
        'pgp_sym_encrypt(text, text) returns bytea volatile',
        'pgp_sym_encrypt(text, text, text) returns bytea volatile',
        'pgp_sym_encrypt_bytea(bytea, text) returns bytea volatile',
        'pgp_sym_encrypt_bytea(bytea, text, text) returns bytea volatile'
    ] loop
        call := pg_catalog.format('twolane_by_name(%L)', pg_catalog.split_part(declaration, '(', 1));
        execute pg_catalog.format(
            'create function %s strict parallel safe begin atomic select %s; end',
            declaration,
            case pg_catalog.split_part(declaration, ' returns ', 2)
                when 'text immutable' then call
                when 'setof record immutable' then 'x, x from ' || call || ' as x'
                else call || '::bytea'
            end);
    end loop;
end $do$;

create function gen_random_uuid() returns uuid
    language internal volatile parallel safe
    as 'gen_random_uuid';

-- Of the 16 bytes of a random UUID all but the seventh and the ninth are random in every bit.
create function gen_random_bytes(integer) returns bytea
    language plpgsql volatile strict parallel safe
    set search_path = pg_catalog
    as $$
    declare
        uuid bytea;
        result bytea := '';
    begin
        if $1 not between 1 and 1024 then
            raise exception 'Length not in range' using errcode = 'external_routine_invocation_exception';
        end if;
        while length(result) < $1 loop
            uuid := uuid_send(gen_random_uuid());
            result := result || substr(uuid, 1, 6) || substr(uuid, 8, 1) || substr(uuid, 10);
        end loop;
        return substr(result, 1, $1);
    end $$;

-- FIPS 180-4. Postgres has every hash of SHA-2 built in, but not this one.
create function twolane_sha1(message bytea) returns bytea
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

create function digest(bytea, text) returns bytea
    language sql immutable strict parallel safe
    return case lower($2)
        when 'md5' then decode(md5($1), 'hex')
        when 'sha1' then twolane_sha1($1)
        when 'sha224' then sha224($1)
        when 'sha256' then sha256($1)
        when 'sha384' then sha384($1)
        when 'sha512' then sha512($1)
        else twolane_by_name('digest ' || quote_literal($2))::bytea
    end;

create function digest(text, text) returns bytea
    language sql immutable strict parallel safe
    return digest(convert_to($1, getdatabaseencoding()), $2);

-- The key, filled up to a block, each of its bytes xor `mask`.
create function twolane_pad(key bytea, block integer, mask integer) returns bytea
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog
    as $$
    declare
        result bytea := decode(repeat(lpad(to_hex(mask), 2, '0'), block), 'hex');
    begin
        for i in 0 .. length(key) - 1 loop
            result := set_byte(result, i, get_byte(key, i) # mask);
        end loop;
        return result;
    end $$;

-- RFC 2104.
create function hmac(bytea, bytea, text) returns bytea
    language sql immutable strict parallel safe
    begin atomic
        select digest(twolane_pad(key, block, 92) || digest(twolane_pad(key, block, 54) || $1, $3), $3)
        from (select case when lower($3) in ('sha384', 'sha512') then 128 else 64 end) as b (block),
            lateral (select case when length($2) > block then digest($2, $3) else $2 end) as k (key);
    end;

create function hmac(text, text, text) returns bytea
    language sql immutable strict parallel safe
    return hmac(
        convert_to($1, getdatabaseencoding()), convert_to($2, getdatabaseencoding()), $3);

-- As crypt(3) writes numbers: six bits a digit, the lowest first.
create function twolane_digits(value bigint, digits integer) returns text
    language sql immutable strict parallel safe
    begin atomic
        select string_agg(substr(
            './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
            ((value >> (6 * i)) & 63)::integer + 1, 1), '' order by i)
        from generate_series(0, digits - 1) as i;
    end;

-- As bcrypt writes bytes: base64 with an alphabet of its own, and no padding.
create function twolane_bcrypt64(bytea) returns text
    language sql immutable strict parallel safe
    return translate(
        encode($1, 'base64'),
        'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=',
        './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789');

create function twolane_refuse(message text) returns text
    language plpgsql stable strict parallel safe
    as $$ begin
        raise exception '%', message using errcode = 'invalid_parameter_value';
    end $$;

create function gen_salt(text, integer) returns text
    language sql volatile strict parallel safe
    begin atomic
        select case
            when type not in ('bf', 'md5', 'des', 'xdes')
                then twolane_refuse('gen_salt: Unknown salt algorithm')
            when type = 'bf' and n between 4 and 31
                then '$2a$' || lpad(n::text, 2, '0') || '$' || twolane_bcrypt64(gen_random_bytes(16))
            when type = 'md5' and n = 1000
                then '$1$' || twolane_digits(random, 4) || twolane_digits(random >> 24, 4)
            when type = 'des' and n = 25 then twolane_digits(random, 2)
            when type = 'xdes' and n between 1 and 16777215 and n % 2 = 1
                then '_' || twolane_digits(n, 4) || twolane_digits(random, 4)
            else twolane_refuse('gen_salt: Incorrect number of rounds')
        end
        from (select lower($1)) as t (type),
            lateral (select coalesce(nullif($2, 0), case type
                when 'bf' then 6 when 'md5' then 1000 when 'des' then 25 else 725 end)) as r (n),
            (select ('x' || encode(gen_random_bytes(6), 'hex'))::bit(48)::bigint offset 0) as s (random);
    end;

create function gen_salt(text) returns text
    language sql volatile strict parallel safe
    return gen_salt($1, 0);

-- Poul-Henning Kamp's md5-crypt: a hash of password and salt, then a thousand more of them.
create function twolane_md5_crypt(password bytea, salt bytea) returns bytea
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog
    as $$
    declare
        n integer := length(password);
        hash bytea := decode(md5(password || salt || password), 'hex');
    begin
        hash := password || '$1$' || salt
            || substr(decode(repeat(encode(hash, 'hex'), n / 16 + 1), 'hex'), 1, n);
        while n > 0 loop
            hash := hash || case n % 2 when 1 then '\x00' else substr(password, 1, 1) end;
            n := n / 2;
        end loop;
        hash := decode(md5(hash), 'hex');
        for i in 0 .. 999 loop
            hash := decode(md5(
                case i % 2 when 1 then password else hash end
                || case i % 3 when 0 then '' else salt end
                || case i % 7 when 0 then '' else password end
                || case i % 2 when 1 then hash else password end), 'hex');
        end loop;
        return hash;
    end $$;

-- Niels Provos and David Mazières, "A Future-Adaptable Password Scheme", 1999. Blowfish, whose
-- tables are the digits of pi, is keyed with the password and the salt 2^cost times over.
create function twolane_bcrypt(password bytea, salt bytea, cost integer) returns bytea
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog
    as $$
    declare
        pi constant bytea := decode('
243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89452821e638d01377be5466cf34e90c6c
c0ac29b7c97c50dd3f84d5b5b54709179216d5d98979fb1bd1310ba698dfb5ac2ffd72dbd01adfb7b8e1afed6a267e96
ba7c9045f12c7f9924a19947b3916cf70801f2e2858efc16636920d871574e69a458fea3f4933d7e0d95748f728eb658
718bcd5882154aee7b54a41dc25a59b59c30d5392af26013c5d1b023286085f0ca417918b8db38ef8e79dcb0603a180e
6c9e0e8bb01e8a3ed71577c1bd314b2778af2fda55605c60e65525f3aa55ab945748986263e8144055ca396a2aab10b6
b4cc5c341141e8cea15486af7c72e993b3ee1411636fbc2a2ba9c55d741831f6ce5c3e169b87931eafd6ba336c24cf5c
7a325381289586773b8f48986b4bb9afc4bfe81b6628219361d809ccfb21a991487cac605dec8032ef845d5de98575b1
dc262302eb651b8823893e81d396acc50f6d6ff383f442392e0b4482a484200469c8f04a9e1f9b5e21c66842f6e96c9a
670c9c61abd388f06a51a0d2d8542f68960fa728ab5133a36eef0b6c137a3be4ba3bf0507efb2a98a1f1651d39af0176
66ca593e82430e888cee8619456f9fb47d84a5c33b8b5ebee06f75d885c12073401a449f56c16aa64ed3aa62363f7706
1bfedf72429b023d37d0d724d00a1248db0fead349f1c09b075372c980991b7b25d479d8f6e8def7e3fe501ab6794c3b
976ce0bd04c006bac1a94fb6409f60c45e5c9ec2196a246368fb6faf3e6c53b51339b2eb3b52ec6f6dfc511f9b30952c
cc814544af5ebd09bee3d004de334afd660f2807192e4bb3c0cba85745c8740fd20b5f39b9d3fbdb5579c0bd1a60320a
d6a100c6402c7279679f25fefb1fa3cc8ea5e9f8db3222f83c7516dffd616b152f501ec8ad0552ab323db5fafd238760
53317b483e00df829e5c57bbca6f8ca01a87562edf1769dbd542a8f6287effc3ac6732c68c4f5573695b27b0bbca58c8
e1ffa35db8f011a010fa3d98fd2183b84afcb56c2dd1d35b9a53e479b6f84565d28e49bc4bfb9790e1ddf2daa4cb7e33
62fb1341cee4c6e8ef20cada36774c01d07e9efe2bf11fb495dbda4dae909198eaad8e716b93d5a0d08ed1d0afc725e0
8e3c5b2f8e7594b78ff6e2fbf2122b648888b812900df01c4fad5ea0688fc31cd1cff191b3a8c1ad2f2f2218be0e1777
ea752dfe8b021fa1e5a0cc0fb56f74e818acf3d6ce89e299b4a84fe0fd13e0b77cc43b81d2ada8d9165fa26680957705
93cc7314211a1477e6ad206577b5fa86c75442f5fb9d35cfebcdaf0c7b3e89a0d6411bd3ae1e7e4900250e2d2071b35e
226800bb57b8e0af2464369bf009b91e5563911d59dfa6aa78c14389d95a537f207d5ba202e5b9c5832603766295cfa9
11c819684e734a41b3472dca7b14a94a1b5100529a532915d60f573fbc9bc6e42b60a47681e6740008ba6fb5571be91f
f296ec6b2a0dd915b6636521e7b9f9b6ff34052ec585566453b02d5da99f8fa108ba47996e85076a4b7a70e9b5b32944
db75092ec4192623ad6ea6b049a7df7d9cee60b88fedb266ecaa8c71699a17ff5664526cc2b19ee1193602a575094c29
a0591340e4183a3e3f54989a5b429d656b8fe4d699f73fd6a1d29c07efe830f54d2d38e6f0255dc14cdd20868470eb26
6382e9c6021ecc5e09686b3f3ebaefc93c9718146b6a70a1687f358452a0e286b79c5305aa5007373e07841c7fdeae5c
8e7d44ec5716f2b8b03ada37f0500c0df01c1f040200b3ffae0cf51a3cb574b225837a58dc0921bdd19113f97ca92ff6
9432477322f547013ae5e58137c2dadcc8b576349af3dda7a94461460fd0030eecc8c73ea4751e41e238cd993bea0e2f
3280bba1183eb3314e548b384f6db9086f420d03f60a04bf2cb8129024977c795679b072bcaf89afde9a771fd9930810
b38bae12dccf3f2e5512721f2e6b7124501adde69f84cd877a5847187408da17bc9f9abce94b7d8cec7aec3adb851dfa
63094366c464c3d2ef1c18473215d908dd433b3724c2ba1612a14d432a65c45150940002133ae4dd71dff89e10314e55
81ac77d65f11199b043556f1d7a3c76b3c11183b5924a509f28fe6ed97f1fbfa9ebabf2c1e153c6e86e34570eae96fb1
860e5e0a5a3e2ab3771fe71c4e3d06fa2965dcb999e71d0f803e89d65266c8252e4cc9789c10b36ac6150eba94e2ea78
a5fc3c531e0a2df4f2f74ea7361d2b3d1939260f19c279605223a708f71312b6ebadfe6eeac31f66e3bc4595a67bc883
b17f37d1018cff28c332ddefbe6c5aa56558218568ab9802eecea50fdb2f953b2aef7dad5b6e2f841521b62829076170
ecdd4775619f151013cca830eb61bd960334fe1eaa0363cfb5735c904c70a239d59e9e0bcbaade14eecc86bc60622ca7
9cab5cabb2f3846e648b1eaf19bdf0caa02369b9655abb5040685a323c2ab4b3319ee9d5c021b8f79b540b19875fa099
95f7997e623d7da8f837889a97e32d7711ed935f166812810e358829c7e61fd696dedfa17858ba9957f584a51b227263
9b83c3ff1ac24696cdb30aeb532e30548fd948e46dbc312858ebf2ef34c6ffeafe28ed61ee7c3c735d4a14d9e864b7e3
42105d14203e13e045eee2b6a3aaabeadb6c4f15facb4fd0c742f442ef6abbb5654f3b1d41cd2105d81e799e86854dc7
e44b476a3d816250cf62a1f25b8d2646fc8883a0c1c7b6a37f1524c369cb749247848a0b5692b285095bbf00ad19489d
1462b17423820e0058428d2a0c55f5ea1dadf43e233f70613372f0928d937e41d65fecf16c223bdb7cde3759cbee7460
4085f2a7ce77326ea607808419f8509ee8efd85561d99735a969a7aac50c06c25a04abfc800bcadc9e447a2ec3453484
fdd567050e1e9ec9db73dbd3105588cd675fda79e3674340c5c43465713e38d83d28f89ef16dff20153e21e78fb03d4a
e6e39f2bdb83adf7e93d5a68948140f7f64c261c94692934411520f77602d4f7bcf46b2ed4a20068d40824713320f46a
43b7d4b7500061af1e39f62e9724454614214f74bf8b88404d95fc1d96b591af70f4ddd366a02f45bfbc09ec03bd9785
7fac6dd031cb850496eb27b355fd3941da2547e6abca0a9a28507825530429f40a2c86dae9b66dfb68dc1462d7486900
680ec0a427a18dee4f3ffea2e887ad8cb58ce0067af4d6b6aace1e7cd3375fecce78a399406b2a4220fe9e35d9f385b9
ee39d7ab3b124e8b1dc9faf74b6d185626a36631eae397b23a6efa74dd5b43326841e7f7ca7820fbfb0af54ed8feb397
454056acba48952755533a3a20838d87fe6ba9b7d096954b55a867bca1159a58cca9296399e1db33a62a4a563f3125f9
5ef47e1c9029317cfdf8e80204272f7080bb155c05282ce395c11548e4c66d2248c1133fc70f86dc07f9c9ee41041f0f
404779a45d886e17325f51ebd59bc0d1f2bcc18f41113564257b7834602a9c60dff8e8a31f636c1b0e12b4c202e1329e
af664fd1cad181156b2395e0333e92e13b240b62eebeb92285b2a20ee6ba0d99de720c8c2da2f728d012784595b794fd
647d0862e7ccf5f05449a36f877d48fac39dfd27f33e8d1e0a476341992eff743a6f6eabf4f8fd37a812dc60a1ebddf8
991be14cdb6e6b0dc67b55106d672c372765d43bdcd0e804f1290dc7cc00ffa3b5390f92690fed0b667b9ffbcedb7d9c
a091cf0bd9155ea3bb132f88515bad247b9479bf763bd6eb37392eb3cc1159798026e297f42e312d6842ada7c66a2b3b
12754ccc782ef11c6a124237b79251e706a1bbe64bfb63501a6b101811caedfa3d25bdd8e2e1c3c9444216590a121386
d90cec6ed5abea2a64af674eda86a85fbebfe98864e4c3fe9dbc8057f0f7c08660787bf86003604dd1fd8346f6381fb0
7745ae04d736fccc83426b33f01eab71b08041873c005e5f77a057bebde8ae2455464299bf582e614e58f48ff2ddfda2
f474ef388789bdc25366f9c3c8b38e74b475f25546fcd9b97aeb26618b1ddf84846a0e79915f95e2466e598e20b45770
8cd55591c902de4cb90bace1bb8205d011a862487574a99eb77f19b6e0a9dc09662d09a1c4324633e85a1f0209f0be8c
4a99a0251d6efe101ab93d1d0ba5a4dfa186f20f2868f169dcb7da83573906fea1e2ce9b4fcd7f5250115e01a70683fa
a002b5c40de6d0279af88c27773f8641c3604c0661a806b5f0177a28c0f586e0006058aa30dc7d6211e69ed72338ea63
53c2dd94c2c21634bbcbee5690bcb6deebfc7da1ce591d766f05e4094b7c018839720a3d7c927c2486e3725f724d9db9
1ac15bb4d39eb8fced54557808fca5b5d83d7cd34dad0fc41e50ef5eb161e6f8a28514d96c51133c6fd5c7e756e14ec4
362abfceddc6c837d79a323492638212670efa8e406000e03a39ce37d3faf5cfabc277375ac52d1b5cb0679e4fa33742
d382274099bc9bbed5118e9dbf0f7315d62d1c7ec700c47bb78c1b6b21a19045b26eb1be6a366eb45748ab2fbc946e79
c6a376d26549c2c8530ff8ee468dde7dd5730a1d4cd04dc62939bbdba9ba4650ac9526e8be5ee304a1fad5f06a2d519a
63ef8ce29a86ee22c089c2b843242ef6a51e03aa9cf2d0a483c061ba9be96a4d8fe51550ba645bd62826a2f9a73a3ae1
4ba99586ef5562e9c72fefd3f752f7da3f046f6977fa0a5980e4a91587b086019b09e6ad3b3ee593e990fd5a9e34d797
2cf0b7d9022b8b5196d5ac3a017da67dd1cf3ed67c7d2d281f9f25cfadf2b89b5ad6b4725a88f54ce029ac71e019a5e6
47b0acfded93fa9be8d3c48d283b57ccf8d5662979132e28785f0191ed756055f7960e44e3d35e8c15056dd488f46dba
03a161250564f0bdc3eb9e153c9057a297271aeca93a072a1b3f6d9b1e6321f5f59c66fb26dcf3197533d928b155fdf5
035634828aba3cbb28517711c20ad9f8abcc5167ccad925f4de817513830dc8e379d58629320f991ea7a90c2fb3e7bce
5121ce64774fbe32a8b6e37ec3293d4648de53696413e680a2ae0810dd6db22469852dfd09072166b39a460a6445c0dd
586cdecf1c20c8ae5bbef7dd1b588d40ccd2017f6bb4e3bbdda26a7e3a59ff453e350a44bcb4cdd572eacea8fa6484bb
8d6612aebf3c6f47d29be463542f5d9eaec2771bf64e6370740e0d8de75b1357f8721671af537d5d4040cb084eb4e2cc
34d2466a0115af84e1b0042895983a1d06b89fb4ce6ea0486f3f3b823520ab82011a1d4b277227f8611560b1e7933fdc
bb3a792b344525bda08839e151ce794b2f32c9b7a01fbac9e01cc87ebcc7d1f6cf0111c3a1e8aac71a908749d44fbd9a
d0dadecbd50ada380339c32ac69136678df9317ce0b12b4ff79e59b743f5bb3af2d519ff27d9459cbf97222c15e6fc2a
0f91fc719b941525fae59361ceb69cebc2a8645912baa8d1b6c1075ee3056a0c10d25065cb03a442e0ec6e0e1698db3b
4c98a0be3278e9649f1f9532e0d392dfd3a0342b8971f21e1b0a74414ba3348cc5be7120c37632d8df359f8d9b992f2e
e60b6f470fe3f11de54cda541edad891ce6279cfcd3e7e6f1618b166fd2c1d05848fd2c5f6fb2299f523f357a6327623
93a8353156cccd02acf081625a75ebb56e16369788d273ccde96629281b949d04c50901b71c65614e6c6c7bd327a140a
45e1d006c3f27b9ac9aa53fd62a80f00bb25bfe235bdd2f671126905b2040222b6cbcf7ccd769c2b53113ec01640e3d3
38abbd602547adf0ba38209cf746ce7677afa1c52075606085cbfe4e8ae88dd87aaaf9b04cf9aa7e1948c25c02fb8a8c
01c36ae4d6ebe1f990d4f869a65cdea03f09252dc208e69fb74e6132ce77e25b578fdfe33ac372e6
            ', 'hex');
        -- Words of 32 bits. p and s are one table, as pi has them: p[1 .. 18], then s[1 .. 1024].
        p bigint[];
        s bigint[];
        keys bigint[];
        salts bigint[];
        zeros constant bigint[] := array[0, 0, 0, 0];
        mixed bigint[];
        plain bigint[] := array[1332899944, 1700884034, 1701343084, 1684370003, 1668446532, 1869963892];
        result bytea := '';
        l bigint;
        r bigint;
        t bigint;
    begin
        for i in 1 .. 1042 loop
            t := ('x' || encode(substr(pi, 4 * i - 3, 4), 'hex'))::bit(32)::bigint;
            if i <= 18 then p[i] := t; else s[i - 18] := t; end if;
        end loop;
        for i in 1 .. 4 loop
            salts[i] := ('x' || encode(substr(salt, 4 * i - 3, 4), 'hex'))::bit(32)::bigint;
        end loop;
        password := password || '\x00';
        password := substr(decode(repeat(encode(password, 'hex'), 72 / length(password) + 1), 'hex'), 1, 72);
        for i in 1 .. 18 loop
            keys[i] := ('x' || encode(substr(password, 4 * i - 3, 4), 'hex'))::bit(32)::bigint;
            p[i] := p[i] # keys[i];
        end loop;
        -- The first pass mixes the salt into the tables; then key and salt take turns.
        for pass in 0 .. 2 * (1 << cost) loop
            if pass > 0 then
                for i in 1 .. 18 loop
                    p[i] := p[i] # case pass % 2 when 1 then keys[i] else salts[(i - 1) % 4 + 1] end;
                end loop;
            end if;
            mixed := case pass when 0 then salts else zeros end;
            l := 0;
            r := 0;
            for i in 1 .. 1041 by 2 loop
                l := l # mixed[(i - 1) % 4 + 1] # p[1];
                r := r # mixed[i % 4 + 1];
                for j in 2 .. 16 by 2 loop
                    r := r # p[j] # ((((s[1 + (l >> 24)] + s[257 + ((l >> 16) & 255)]) # s[513 + ((l >> 8) & 255)])
                        + s[769 + (l & 255)]) & 4294967295);
                    l := l # p[j + 1] # ((((s[1 + (r >> 24)] + s[257 + ((r >> 16) & 255)]) # s[513 + ((r >> 8) & 255)])
                        + s[769 + (r & 255)]) & 4294967295);
                end loop;
                t := r # p[18]; r := l; l := t;
                if i <= 18 then
                    p[i] := l; p[i + 1] := r;
                else
                    s[i - 18] := l; s[i - 17] := r;
                end if;
            end loop;
        end loop;
        -- The table is the key now: "OrpheanBeholderScryDoubt" is encrypted 64 times with it.
        for i in 1 .. 5 by 2 loop
            l := plain[i];
            r := plain[i + 1];
            for pass in 1 .. 64 loop
                l := l # p[1];
                for j in 2 .. 16 by 2 loop
                    r := r # p[j] # ((((s[1 + (l >> 24)] + s[257 + ((l >> 16) & 255)]) # s[513 + ((l >> 8) & 255)])
                        + s[769 + (l & 255)]) & 4294967295);
                    l := l # p[j + 1] # ((((s[1 + (r >> 24)] + s[257 + ((r >> 16) & 255)]) # s[513 + ((r >> 8) & 255)])
                        + s[769 + (r & 255)]) & 4294967295);
                end loop;
                t := r # p[18]; r := l; l := t;
            end loop;
            result := result || substr(int8send(l), 5) || substr(int8send(r), 5);
        end loop;
        return result;
    end $$;

create function crypt(text, text) returns text
    language sql immutable strict parallel safe
    begin atomic
        select case
            when $2 ~ '^[$]2a[$](0[4-9]|[12][0-9]|3[01])[$][./A-Za-z0-9]{22}' then (
                select left($2, 28)
                    -- Of the last digit of the salt two bits count.
                    || translate(substr($2, 29, 1),
                        './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
                        repeat('.', 16) || repeat('O', 16) || repeat('e', 16) || repeat('u', 16))
                    || left(twolane_bcrypt64(substr(hash, 1, 23)), 31)
                from twolane_bcrypt(password, decode(translate(substr($2, 8, 22),
                    './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
                    'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') || '==', 'base64'),
                    substr($2, 5, 2)::integer) as hash)
            when starts_with($2, '$2a$') then twolane_refuse('invalid salt')
            when $2 ~ '^[$]1[$][ -~]*$' then (
                select '$1$' || salt || '$' || string_agg(twolane_digits(
                    (get_byte(hash, a) << 16) + (get_byte(hash, b) << 8) + get_byte(hash, c), 4), '' order by a)
                    || twolane_digits(get_byte(hash, 11), 2)
                from (select left(split_part(substr($2, 4), '$', 1), 8)) as s (salt),
                    lateral twolane_md5_crypt(password, convert_to(salt, 'utf8')) as hash,
                    (values (0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)) as i (a, b, c)
                group by salt, hash)
            else twolane_by_name('crypt with a salt that is neither of bf nor of md5')
        end
        from (select convert_to($1, getdatabaseencoding())) as p (password);
    end;

-- Whoever makes it is told what it is.
do $$ begin
    raise warning '%', (
        select pg_catalog.obj_description(oid, 'pg_extension')
        from pg_catalog.pg_extension where extname = 'pgcrypto');
end $$;
