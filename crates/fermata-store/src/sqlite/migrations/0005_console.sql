-- People who sign in to the console, and their sessions.

CREATE TABLE console_users (
    user_id TEXT PRIMARY KEY CHECK (user_id <> ''),
    name TEXT NOT NULL CHECK (name <> ''),
    -- The name in lower case, so that no two differ by case alone.
    name_lower TEXT NOT NULL UNIQUE CHECK (name_lower <> ''),
    -- A PHC string; the password itself is nowhere.
    password_hash TEXT NOT NULL CHECK (password_hash <> ''),
    role TEXT NOT NULL CHECK (role IN ('operator', 'partner', 'customer')),
    role_of TEXT CHECK ((role_of IS NULL) = (role = 'operator')),
    read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),
    totp_secret_sealed BLOB,
    -- The last step whose code was taken; NULL until the first one was.
    totp_last_step INTEGER CHECK (totp_last_step IS NULL OR totp_secret_sealed IS NOT NULL),
    created_at_us INTEGER NOT NULL,
    password_changed_at_us INTEGER NOT NULL,
    disabled_at_us INTEGER
) STRICT, WITHOUT ROWID;

-- Tokens of sessions are never readable, so only their SHA-256 is here.
CREATE TABLE console_sessions (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    user_id TEXT NOT NULL REFERENCES console_users ON DELETE CASCADE,
    created_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX console_sessions_of_user ON console_sessions (user_id, created_at_us, hash);
CREATE INDEX console_sessions_by_expiry ON console_sessions (expires_at_us);
