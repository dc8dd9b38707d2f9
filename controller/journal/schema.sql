-- The journal, schema version 1. The hash chain is described in chain.py.
CREATE TABLE entry (
    seq     INTEGER PRIMARY KEY,  -- 1, 2, 3, ... without a gap
    boot    INTEGER NOT NULL,     -- number of the core's start
    kind    TEXT    NOT NULL,     -- see entry.KINDS
    at_s    REAL    NOT NULL,     -- process time, s
    wall_ns INTEGER NOT NULL,     -- wall clock, ns since 1970-01-01 UTC
    payload BLOB    NOT NULL,
    hash    BLOB    NOT NULL      -- SHA-256 over the predecessor's hash and all of the above
) STRICT;

-- Everything but the samples is found by its kind; an index over the samples would cost more than it finds.
CREATE INDEX entry_kind ON entry (kind, seq) WHERE kind <> 'sample';

-- Where the chain ends, so that rows missing at the end are found too.
CREATE TABLE head (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    seq      INTEGER NOT NULL,
    hash     BLOB    NOT NULL
) STRICT;
INSERT INTO head VALUES (1, 0, zeroblob(32));

CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
