-- Which of several processes hands deliveries out, and what was handed out.

-- It leads for a term, as long as it renews its lease. Whoever writes under a term holds this row with FOR KEY SHARE:
-- a new term, being of a unique column, waits until that is over, and a renewal does not.
CREATE TABLE leader (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    term bigint NOT NULL UNIQUE,
    holder bytea NOT NULL,
    until timestamptz NOT NULL
);
INSERT INTO leader (term, holder, until) VALUES (0, '', '-infinity');

-- A mark: these attempts of these deliveries were handed out together, and nobody else may begin them before `until`.
CREATE TABLE marks (
    term bigint NOT NULL,
    number bigint NOT NULL,
    until timestamptz NOT NULL,
    deliveries bigint[] NOT NULL,
    attempts int[] NOT NULL,
    PRIMARY KEY (term, number)
);
