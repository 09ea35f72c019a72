-- What a process tries its master key on, and what says that a ledger is only half there.

-- No row: no key has been told to the ledger yet. One row: a known value, sealed under its master key.
CREATE TABLE key_check (sealed bytea NOT NULL);
-- A row while `hookledger copy` fills the ledger from another: nobody else may use it until that has come to its end.
CREATE TABLE copying (since timestamptz NOT NULL DEFAULT now());
