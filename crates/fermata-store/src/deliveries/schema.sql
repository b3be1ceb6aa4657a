-- Deliveries of callbacks and webhooks: the outbox of those that wait, and the log of those that do not.

CREATE TABLE deliveries (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    sdk_app_id INTEGER NOT NULL,
    receiver TEXT NOT NULL CHECK (receiver IN ('callback', 'webhook')),
    url TEXT NOT NULL,
    room TEXT NOT NULL,
    event TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    -- The order in which those that wait are tried; a replay gets a new one.
    turn INTEGER NOT NULL UNIQUE,
    created_at_us INTEGER NOT NULL,
    -- When the present series of attempts began to be due.
    due_at_us INTEGER NOT NULL,
    -- Of all series.
    attempts INTEGER NOT NULL,
    replays INTEGER NOT NULL,
    settled_at_us INTEGER,
    -- The last attempt, if there was one.
    tried_at_us INTEGER,
    took_ms INTEGER,
    status INTEGER,
    error TEXT,
    body BLOB NOT NULL,
    CHECK ((settled_at_us IS NULL) = (state = 'waiting'))
) STRICT;

CREATE INDEX deliveries_waiting ON deliveries (turn) WHERE state = 'waiting';
CREATE INDEX deliveries_settled ON deliveries (state, settled_at_us) WHERE state <> 'waiting';
CREATE INDEX deliveries_of_app ON deliveries (sdk_app_id, n);
CREATE INDEX deliveries_in_state ON deliveries (sdk_app_id, state, n);
CREATE INDEX deliveries_of_room ON deliveries (sdk_app_id, room, n);
