-- Secret pairs of the server APIs, and where events of applications go.

CREATE TABLE api_secrets (
    secret_id TEXT PRIMARY KEY CHECK (secret_id <> ''),
    account_id TEXT NOT NULL REFERENCES accounts,
    name TEXT NOT NULL CHECK (name <> ''),
    policy TEXT NOT NULL CHECK (policy IN ('full', 'read_only')),
    -- The applications it may be used for, a JSON array of numbers; an empty one: all of the account.
    apps TEXT NOT NULL CHECK (json_type(apps) = 'array'),
    secret_key_sealed BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    revoked_at_us INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_secrets_of_account ON api_secrets (account_id, created_at_us, secret_id);

-- In the vendor's form, one at most.
CREATE TABLE app_callbacks (
    sdk_app_id INTEGER PRIMARY KEY REFERENCES apps,
    url TEXT NOT NULL CHECK (url <> ''),
    key_sealed BLOB NOT NULL,
    -- Event groups, a JSON array of numbers.
    event_groups TEXT NOT NULL CHECK (json_array_length(event_groups) > 0)
) STRICT;

-- In LiveKit's form. The API key may be removed later; it is no reference.
CREATE TABLE app_webhooks (
    sdk_app_id INTEGER NOT NULL REFERENCES apps,
    place INTEGER NOT NULL CHECK (place >= 0),
    url TEXT NOT NULL CHECK (url <> ''),
    api_key TEXT,
    PRIMARY KEY (sdk_app_id, place)
) STRICT, WITHOUT ROWID;
