-- append() tells others what was recorded only where there are others, and does nothing for lists that are empty. What
-- it takes and answers is said in 0001_ledger.sql.
--
-- Each process that appends holds a lock of its own, shared, on the connection that it appends with. A session is never
-- in its own way: the lock is got alone when nobody else holds it, and then nobody has to be told. Whoever comes while
-- this commit is under way waits for its end, and looks what there is after that.
CREATE OR REPLACE FUNCTION append(
    writer bytea, call bigint, now bigint,
    u_last int[], u_claim int[], u_tenant int[], u_directory bytea[], u_catalogue bytea[],
    c_key bytea[],
    s_stream bytea[], s_look int[],
    t_tenant text[],
    e_stream bytea[], e_stream_number int[], e_version bigint[], e_topic text[], e_state bytea[],
    m_entry int[], m_tenant int[], m_told_by bytea[],
    b_entry int[], b_salt bytea[], b_data bytea[], b_payload bytea[],
    k_entry int[], k_id bytea[], k_webhook bytea[], k_sealed bytea[],
    OUT previous bigint, OUT last bigint, OUT at bigint,
    OUT kinds int[], OUT places bigint[], OUT entries int[]
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path FROM CURRENT
-- Its plans are made while the tables are empty, and kept: they must be those of full ones.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    zero CONSTANT bytea := decode(repeat('00', 16), 'hex');
    c_position bigint[] := array_fill(0::bigint, ARRAY[cardinality(c_key)]);
    s_version bigint[] := array_fill(0::bigint, ARRAY[cardinality(s_stream)]);
    t_version bytea[];
    t_moved boolean[] := array_fill(false, ARRAY[cardinality(t_tenant)]);
    e_position bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(e_version)]);
    head_at bigint;
    first_entry int := 1;
    last_entry int;
    mark int := 1;
    tenant int;
    kind int;
    place bigint;
    entry int;
    number int;
BEGIN
    PERFORM pg_advisory_xact_lock(8420, hashtext(current_schema()::text));

    SELECT a.previous, a.last, a.at, a.kinds, a.places, a.entries INTO previous, last, at, kinds, places, entries
        FROM answers a WHERE a.writer = writer AND a.call = call;
    IF FOUND THEN
        RETURN;
    END IF;

    SELECT c.last, c.at INTO previous, head_at FROM commits c ORDER BY c.last DESC LIMIT 1;
    previous := coalesce(previous, 0);
    at := greatest(now, coalesce(head_at, 0));
    last := previous;
    FOR entry, place IN
        SELECT wanted.number, c.position
        FROM unnest(c_key) WITH ORDINALITY AS wanted (key, number) JOIN claims c ON c.key = wanted.key
    LOOP
        c_position[entry] := place;
    END LOOP;
    FOR entry, place IN
        SELECT look.number, e.version
        FROM unnest(s_look) AS look (number),
            LATERAL (
                SELECT e.version FROM events e WHERE e.stream = s_stream[look.number] ORDER BY e.version DESC LIMIT 1
            ) AS e
    LOOP
        s_version[entry] := place;
    END LOOP;
    t_version := ARRAY(
        SELECT coalesce((SELECT d.version FROM directories d WHERE d.tenant = wanted.tenant), zero)
        FROM unnest(t_tenant) WITH ORDINALITY AS wanted (tenant, number) ORDER BY wanted.number
    );

    kinds := array_fill(0, ARRAY[cardinality(u_last)]);
    entries := kinds;
    FOR unit IN 1 .. cardinality(u_last) LOOP
        last_entry := u_last[unit];
        tenant := u_tenant[unit];
        kind := 0;
        place := last + 1;
        IF u_claim[unit] > 0 AND c_position[u_claim[unit]] > 0 THEN
            kind := 1;
            place := c_position[u_claim[unit]];
        ELSIF tenant > 0 AND (t_version[tenant] <> u_directory[unit] OR t_version[1] <> u_catalogue[unit]) THEN
            kind := 3;
        ELSE
            FOR number IN first_entry .. last_entry LOOP
                IF s_version[e_stream_number[number]] <> e_version[number] - 1 THEN
                    kind := 2;
                    entries[unit] := number;
                    FOR taken_back IN first_entry .. number - 1 LOOP
                        s_version[e_stream_number[taken_back]] := s_version[e_stream_number[taken_back]] - 1;
                        e_position[taken_back] := NULL;
                    END LOOP;
                    place := s_version[e_stream_number[number]];
                    EXIT;
                END IF;
                s_version[e_stream_number[number]] := e_version[number];
                e_position[number] := place + number - first_entry;
            END LOOP;
            IF kind = 0 THEN
                last := last + last_entry - first_entry + 1;
                WHILE m_entry[mark] <= last_entry LOOP
                    tenant := m_tenant[mark];
                    IF m_entry[mark] >= first_entry AND tenant > 0 THEN
                        number := m_entry[mark];
                        t_moved[tenant] := true;
                        t_version[tenant] := substr(sha256(
                            t_version[tenant] || e_stream[number] || int8send(e_version[number]) || m_told_by[mark]
                        ), 1, 16);
                    END IF;
                    mark := mark + 1;
                END LOOP;
                IF u_claim[unit] > 0 THEN
                    c_position[u_claim[unit]] := place;
                END IF;
            END IF;
        END IF;
        IF kind > 0 THEN
            kinds[unit] := kind;
        END IF;
        places[unit] := place;
        first_entry := last_entry + 1;
    END LOOP;

    IF last > previous THEN
        -- Many values of an array are got one by one for less than unnest() needs to lay them down in rows first.
        INSERT INTO events
            SELECT e_position[n], e_stream[n], e_version[n], e_topic[n], e_state[n]
            FROM generate_series(1, cardinality(e_position)) AS n WHERE e_position[n] IS NOT NULL;
        INSERT INTO claims
            SELECT c_key[n], c_position[n] FROM generate_series(1, cardinality(c_key)) AS n WHERE c_position[n] > previous;
        IF cardinality(m_entry) > 0 THEN
            INSERT INTO landmarks
                SELECT e_position[new.entry] FROM unnest(m_entry) AS new (entry) WHERE e_position[new.entry] IS NOT NULL;
            INSERT INTO directories
                SELECT new.tenant, new.version FROM unnest(t_tenant, t_version, t_moved) AS new (tenant, version, moved)
                WHERE new.moved
                ON CONFLICT ON CONSTRAINT directories_pkey DO UPDATE SET version = excluded.version;
        END IF;
        INSERT INTO bodies
            SELECT e_position[b_entry[n]], b_salt[n], b_data[n], b_payload[n]
            FROM generate_series(1, cardinality(b_entry)) AS n WHERE e_position[b_entry[n]] IS NOT NULL;
        IF cardinality(k_entry) > 0 THEN
            INSERT INTO secrets
                SELECT new.id, new.webhook, new.sealed
                FROM unnest(k_entry, k_id, k_webhook, k_sealed) AS new (entry, id, webhook, sealed)
                WHERE e_position[new.entry] IS NOT NULL;
        END IF;
        INSERT INTO commits VALUES (last, previous + 1, at);
        IF call = 1 THEN
            -- Those of processes that have long gone.
            DELETE FROM answers a WHERE a.at < at - 86400000;
        END IF;
        INSERT INTO answers VALUES (writer, call, previous, last, at, kinds, places, entries)
            ON CONFLICT ON CONSTRAINT answers_pkey DO UPDATE SET
                call = excluded.call, previous = excluded.previous, last = excluded.last, at = excluded.at,
                kinds = excluded.kinds, places = excluded.places, entries = excluded.entries;
        IF NOT pg_try_advisory_xact_lock(8421, hashtext(current_schema()::text)) THEN
            PERFORM pg_notify('hookledger', current_schema() || ' ' || last || ' ' || encode(writer, 'hex'));
        END IF;
    END IF;
END
$$;
