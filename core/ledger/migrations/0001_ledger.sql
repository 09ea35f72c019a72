-- The ledger's tables, and the one function that writes them. Run by core/ledger/migrate.py with the search path on
-- the ledger's schema.

CREATE TABLE events (
    position bigint PRIMARY KEY,
    stream bytea NOT NULL,
    version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL
);
CREATE UNIQUE INDEX events_stream ON events (stream, version);
CREATE TABLE landmarks (position bigint PRIMARY KEY);
CREATE TABLE commits (last bigint PRIMARY KEY, first bigint NOT NULL, at bigint NOT NULL);
CREATE TABLE claims (key bytea PRIMARY KEY, position bigint NOT NULL);
CREATE TABLE bodies (position bigint PRIMARY KEY, salt bytea NOT NULL, data bytea NOT NULL, payload bytea);
CREATE TABLE secrets (id bytea PRIMARY KEY, webhook bytea NOT NULL, sealed bytea NOT NULL);
CREATE TABLE directories (tenant text PRIMARY KEY, version bytea NOT NULL);
CREATE TABLE snapshots (name text PRIMARY KEY, position bigint NOT NULL, state bytea NOT NULL);
CREATE TABLE answers (
    writer bytea PRIMARY KEY,
    call bigint NOT NULL,
    previous bigint NOT NULL, last bigint NOT NULL, at bigint NOT NULL,
    kinds int[] NOT NULL, places bigint[] NOT NULL, entries int[] NOT NULL
);
CREATE TABLE identity (id bytea NOT NULL);
INSERT INTO identity VALUES (decode(replace(gen_random_uuid()::text, '-', ''), 'hex'));

-- Judge units in order, each against the ledger and the units before it; insert what holds; say what became of each.
--
-- A unit is what lies between two values of u_last, the number of its last entry. u_claim, e_stream_number and the
-- like are numbers in the lists c_key, s_stream and t_tenant, from 1 on, where 0 is none; t_tenant[1] is the catalogue's
-- name. e_mark: 1 for a landmark, 2 for one that moves the version of the directory e_tenant. s_look: streams whose
-- version is to be looked up; of the others it is believed that they are new, and a unique_violation says they are not.
--
-- Answers by kind: 0 taken (its first position), 1 duplicate (the position of the event that holds the claim), 2 stale
-- stream (its version, and the number of the entry), 3 stale directory.
--
-- A process names itself (writer) and counts its calls. The answer to the last one that committed something is kept, so
-- that whoever lost it, with the connection, asks the same again and gets the same.
--
-- The lock is taken by the first statement, and each later one sees what was committed before that. A lock on the table
-- would fight with autovacuum.
CREATE FUNCTION append(
    writer bytea, call bigint, now bigint,
    u_last int[], u_claim int[], u_tenant int[], u_directory bytea[], u_catalogue bytea[],
    c_key bytea[],
    s_stream bytea[], s_look boolean[],
    t_tenant text[],
    e_stream bytea[], e_stream_number int[], e_version bigint[], e_topic text[], e_state bytea[],
    e_mark int[], e_tenant int[], e_told_by bytea[],
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
    c_position bigint[];
    c_taken bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(c_key)]);
    s_version bigint[];
    t_version bytea[];
    t_moved boolean[] := array_fill(false, ARRAY[cardinality(t_tenant)]);
    e_position bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(e_version)]);
    head_at bigint;
    first_entry int := 1;
    last_entry int;
    tenant int;
    kind int;
    place bigint;
    entry int;
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
    c_position := ARRAY(
        SELECT coalesce((SELECT c.position FROM claims c WHERE c.key = wanted.key), 0)
        FROM unnest(c_key) WITH ORDINALITY AS wanted (key, number) ORDER BY wanted.number
    );
    s_version := ARRAY(
        SELECT CASE WHEN wanted.look THEN coalesce(
            (SELECT e.version FROM events e WHERE e.stream = wanted.stream ORDER BY e.version DESC LIMIT 1), 0
        ) ELSE 0 END
        FROM unnest(s_stream, s_look) WITH ORDINALITY AS wanted (stream, look, number) ORDER BY wanted.number
    );
    t_version := ARRAY(
        SELECT coalesce((SELECT d.version FROM directories d WHERE d.tenant = wanted.tenant), zero)
        FROM unnest(t_tenant) WITH ORDINALITY AS wanted (tenant, number) ORDER BY wanted.number
    );

    FOR unit IN 1 .. cardinality(u_last) LOOP
        last_entry := u_last[unit];
        tenant := u_tenant[unit];
        kind := 0;
        place := last + 1;
        entry := 0;
        IF u_claim[unit] > 0 AND c_position[u_claim[unit]] > 0 THEN
            kind := 1;
            place := c_position[u_claim[unit]];
        ELSIF tenant > 0 AND (t_version[tenant] <> u_directory[unit] OR t_version[1] <> u_catalogue[unit]) THEN
            kind := 3;
        ELSE
            FOR number IN first_entry .. last_entry LOOP
                IF s_version[e_stream_number[number]] <> e_version[number] - 1 THEN
                    kind := 2;
                    entry := number;
                    FOR taken_back IN first_entry .. number - 1 LOOP
                        s_version[e_stream_number[taken_back]] := s_version[e_stream_number[taken_back]] - 1;
                    END LOOP;
                    place := s_version[e_stream_number[number]];
                    EXIT;
                END IF;
                s_version[e_stream_number[number]] := e_version[number];
            END LOOP;
            IF kind = 0 THEN
                FOR number IN first_entry .. last_entry LOOP
                    last := last + 1;
                    e_position[number] := last;
                    IF e_mark[number] = 2 THEN
                        tenant := e_tenant[number];
                        t_moved[tenant] := true;
                        t_version[tenant] := substr(sha256(
                            t_version[tenant] || e_stream[number] || int8send(e_version[number]) || e_told_by[number]
                        ), 1, 16);
                    END IF;
                END LOOP;
                IF u_claim[unit] > 0 THEN
                    c_position[u_claim[unit]] := place;
                    c_taken[u_claim[unit]] := place;
                END IF;
            END IF;
        END IF;
        kinds[unit] := kind;
        places[unit] := place;
        entries[unit] := entry;
        first_entry := last_entry + 1;
    END LOOP;

    IF last > previous THEN
        INSERT INTO events
            SELECT * FROM unnest(e_position, e_stream, e_version, e_topic, e_state) AS new (position, a, b, c, d)
            WHERE new.position IS NOT NULL;
        INSERT INTO claims
            SELECT * FROM unnest(c_key, c_taken) AS new (key, position) WHERE new.position IS NOT NULL;
        INSERT INTO landmarks
            SELECT new.position FROM unnest(e_position, e_mark) AS new (position, mark)
            WHERE new.mark > 0 AND new.position IS NOT NULL;
        INSERT INTO directories
            SELECT new.tenant, new.version FROM unnest(t_tenant, t_version, t_moved) AS new (tenant, version, moved)
            WHERE new.moved
            ON CONFLICT ON CONSTRAINT directories_pkey DO UPDATE SET version = excluded.version;
        INSERT INTO bodies
            SELECT e_position[new.entry], new.salt, new.data, new.payload
            FROM unnest(b_entry, b_salt, b_data, b_payload) AS new (entry, salt, data, payload)
            WHERE e_position[new.entry] IS NOT NULL;
        INSERT INTO secrets
            SELECT new.id, new.webhook, new.sealed
            FROM unnest(k_entry, k_id, k_webhook, k_sealed) AS new (entry, id, webhook, sealed)
            WHERE e_position[new.entry] IS NOT NULL;
        INSERT INTO commits VALUES (last, previous + 1, at);
        IF call = 1 THEN
            -- Those of processes that have long gone.
            DELETE FROM answers a WHERE a.at < at - 86400000;
        END IF;
        INSERT INTO answers VALUES (writer, call, previous, last, at, kinds, places, entries)
            ON CONFLICT ON CONSTRAINT answers_pkey DO UPDATE SET
                call = excluded.call, previous = excluded.previous, last = excluded.last, at = excluded.at,
                kinds = excluded.kinds, places = excluded.places, entries = excluded.entries;
        PERFORM pg_notify('hookledger', current_schema() || ' ' || last || ' ' || encode(writer, 'hex'));
    END IF;
END
$$;

-- So that who may call it still cannot write otherwise: `hookledger migrate --grant ROLE` lets a role.
REVOKE ALL ON FUNCTION append FROM PUBLIC;
