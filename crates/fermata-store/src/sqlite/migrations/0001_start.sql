-- Moments are whole microseconds since 1970-01-01T00:00:00Z (`_us`).
-- Columns that end in `_sealed` hold AES-256-GCM under the master key, which is not in this file.

CREATE TABLE key_check (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- A known text, sealed: tells a wrong master key before anything else is read.
    word_sealed BLOB NOT NULL
) STRICT;

CREATE TABLE settings (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
    account_id TEXT PRIMARY KEY CHECK (account_id <> ''),
    name TEXT NOT NULL CHECK (name <> ''),
    zone TEXT NOT NULL,
    created_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE apps (
    sdk_app_id INTEGER PRIMARY KEY CHECK (sdk_app_id BETWEEN 1 AND 4294967295),
    account_id TEXT NOT NULL REFERENCES accounts,
    name TEXT NOT NULL CHECK (name <> ''),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    default_scene TEXT NOT NULL CHECK (default_scene IN ('call', 'live')),
    disconnect_timeout_s INTEGER NOT NULL CHECK (disconnect_timeout_s BETWEEN 5 AND 300),
    private_map_required INTEGER NOT NULL CHECK (private_map_required IN (0, 1)),
    created_at_us INTEGER NOT NULL,
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    usersig_key_sealed BLOB NOT NULL
) STRICT;

CREATE INDEX apps_of_account ON apps (account_id, sdk_app_id);

CREATE TABLE api_keys (
    api_key TEXT PRIMARY KEY CHECK (api_key <> ''),
    sdk_app_id INTEGER NOT NULL REFERENCES apps,
    secret_sealed BLOB NOT NULL,
    created_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_of_app ON api_keys (sdk_app_id, created_at_us, api_key);

-- Tokens of the operator API: never readable, so only their SHA-256 is here.
CREATE TABLE api_tokens (
    token_id TEXT PRIMARY KEY CHECK (token_id <> ''),
    name TEXT NOT NULL CHECK (name <> ''),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at_us INTEGER NOT NULL,
    revoked_at_us INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE stays (
    stay TEXT PRIMARY KEY CHECK (stay <> ''),
    sdk_app_id INTEGER NOT NULL REFERENCES apps,
    node TEXT NOT NULL,
    room TEXT NOT NULL CHECK (room <> ''),
    room_sid TEXT NOT NULL,
    identity TEXT NOT NULL,
    scene TEXT NOT NULL CHECK (scene IN ('call', 'live')),
    role TEXT NOT NULL CHECK (role IN ('anchor', 'audience')),
    entered_at_us INTEGER NOT NULL CHECK (entered_at_us >= 0),
    ended_at_us INTEGER CHECK (ended_at_us >= 0),
    end_reason TEXT,
    CHECK ((ended_at_us IS NULL) = (end_reason IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX stays_by_entry ON stays (sdk_app_id, entered_at_us, stay);
CREATE INDEX stays_by_room ON stays (sdk_app_id, room, entered_at_us, stay);
CREATE INDEX stays_open ON stays (node) WHERE ended_at_us IS NULL;

-- Ends that arrived before their opening; they move into `stays` with it.
CREATE TABLE early_ends (
    stay TEXT PRIMARY KEY CHECK (stay <> ''),
    ended_at_us INTEGER NOT NULL CHECK (ended_at_us >= 0),
    end_reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The truth about seconds: the highest value reported of each key. No reference to `stays`, because
-- windows may arrive before the opening. The two tables of totals below are derived from this one.
CREATE TABLE usage_windows (
    stay TEXT NOT NULL CHECK (stay <> ''),
    window_start_us INTEGER NOT NULL
        CHECK (window_start_us >= 0 AND window_start_us % 60000000 = 0),
    sku TEXT NOT NULL,
    seconds INTEGER NOT NULL CHECK (seconds BETWEEN 1 AND 60),
    PRIMARY KEY (stay, window_start_us, sku)
) STRICT, WITHOUT ROWID;

-- Seconds by stay and SKU, less the windows that claim more than 60 seconds over all SKUs.
CREATE TABLE stay_totals (
    stay TEXT NOT NULL,
    sku TEXT NOT NULL,
    seconds INTEGER NOT NULL CHECK (seconds >= 0),
    PRIMARY KEY (stay, sku)
) STRICT, WITHOUT ROWID;

-- The same by application, minute and SKU, of opened stays only. By the minute, because civil days
-- of any zone are whole minutes.
CREATE TABLE minute_totals (
    sdk_app_id INTEGER NOT NULL REFERENCES apps,
    window_start_us INTEGER NOT NULL,
    sku TEXT NOT NULL,
    seconds INTEGER NOT NULL CHECK (seconds >= 0),
    PRIMARY KEY (sdk_app_id, window_start_us, sku)
) STRICT, WITHOUT ROWID;

CREATE TABLE node_watermarks (
    node TEXT PRIMARY KEY CHECK (node <> ''),
    watermark_us INTEGER NOT NULL CHECK (watermark_us >= 0)
) STRICT, WITHOUT ROWID;

-- Reported facts that cannot be true; for people to look at, never counted.
CREATE TABLE usage_quarantine (
    node TEXT NOT NULL,
    stay TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    seconds INTEGER NOT NULL CHECK (seconds >= 0),
    PRIMARY KEY (node, stay, at_us, reason)
) STRICT, WITHOUT ROWID;
