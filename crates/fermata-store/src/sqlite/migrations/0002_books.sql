-- The books of accounts. Amounts are whole numbers: micro-units of money, thousandths of package minutes.

-- Who opens the books of accounts that are older than they are, and how they were run; emptied by the program.
CREATE TABLE books_to_open (
    account_id TEXT PRIMARY KEY REFERENCES accounts,
    zone TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE apps_to_disable (
    sdk_app_id INTEGER PRIMARY KEY REFERENCES apps
) STRICT;

INSERT INTO books_to_open SELECT account_id, zone FROM accounts;
INSERT INTO apps_to_disable SELECT sdk_app_id FROM apps WHERE enabled = 0;

ALTER TABLE accounts DROP COLUMN zone;
ALTER TABLE apps DROP COLUMN enabled;

-- For whom a token speaks, and the partner or account that it is tied to.
ALTER TABLE api_tokens ADD COLUMN role TEXT NOT NULL DEFAULT 'operator'
    CHECK (role IN ('operator', 'partner', 'customer'));
ALTER TABLE api_tokens ADD COLUMN role_of TEXT CHECK ((role_of IS NULL) = (role = 'operator'));
ALTER TABLE api_tokens ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0 CHECK (read_only IN (0, 1));

ALTER TABLE node_watermarks ADD COLUMN reported_at_us INTEGER NOT NULL DEFAULT 0;

-- One row a fact of the working set, and facts that are looked up one by one.
CREATE TABLE account_items (
    account_id TEXT NOT NULL REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
    kind TEXT NOT NULL CHECK (kind <> ''),
    key TEXT NOT NULL,
    -- JSON; of kinds with secrets: "sealed:" and hexadecimal digits.
    body TEXT NOT NULL,
    PRIMARY KEY (account_id, kind, key)
) STRICT, WITHOUT ROWID;

-- What happened, each row chained to the one before by its hash.
CREATE TABLE journal (
    account_id TEXT NOT NULL REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
    seq INTEGER NOT NULL CHECK (seq >= 1),
    kind TEXT NOT NULL CHECK (kind <> ''),
    id TEXT,
    at_us INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    cause TEXT NOT NULL,
    body TEXT NOT NULL,
    prev_hash BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX journal_by_id ON journal (account_id, kind, id) WHERE id IS NOT NULL;
CREATE INDEX journal_by_kind ON journal (account_id, kind, seq);
-- A provider's reference is one credit for ever, in the whole installation.
CREATE UNIQUE INDEX journal_payments ON journal (id) WHERE kind = 'payment';

CREATE TRIGGER journal_is_final BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is never changed'); END;
CREATE TRIGGER journal_stays BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is never changed'); END;

-- The entries of the journal's transactions, for who asks in SQL.
CREATE TABLE ledger_entries (
    account_id TEXT NOT NULL REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
    txn TEXT NOT NULL,
    line INTEGER NOT NULL CHECK (line >= 1),
    ledger_account TEXT NOT NULL,
    unit TEXT NOT NULL CHECK (unit IN ('money', 'minutes')),
    amount INTEGER NOT NULL,
    PRIMARY KEY (account_id, txn, line)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_entries_by_account ON ledger_entries (account_id, ledger_account);

CREATE TRIGGER ledger_entries_are_final BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER ledger_entries_stay BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;

-- When each account is to be looked at next: its first timer, in wall time. And whose it is.
CREATE TABLE account_due (
    account_id TEXT PRIMARY KEY REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
    wall_due_us INTEGER,
    partner TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX account_due_first ON account_due (wall_due_us, account_id) WHERE wall_due_us IS NOT NULL;
CREATE INDEX account_due_partner ON account_due (partner, account_id) WHERE partner IS NOT NULL;

-- What leaves the program, at least once, by its stable id. A claim moves `due_us` to the end of its lease.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY CHECK (id <> ''),
    account_id TEXT NOT NULL REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
    body_sealed BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'dead')),
    error TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_due ON outbox (state, due_us, id);

-- Answers to calls that are to happen once, for when they come again.
CREATE TABLE once (
    scope TEXT NOT NULL CHECK (scope <> ''),
    key TEXT NOT NULL CHECK (key <> ''),
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
    answer_sealed BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX once_by_age ON once (created_at_us);
CREATE INDEX once_by_scope ON once (scope, created_at_us);

-- Price lists, partners, agreements, switches.
CREATE TABLE documents (
    kind TEXT NOT NULL CHECK (kind IN ('catalog', 'partner', 'agreement', 'switch')),
    id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id, version)
) STRICT, WITHOUT ROWID;

-- Versions of agreements whose accounts are still to be looked at.
CREATE TABLE reevaluations (
    partner TEXT NOT NULL,
    version INTEGER NOT NULL,
    after_account TEXT,
    wall_due_us INTEGER NOT NULL,
    PRIMARY KEY (partner, version)
) STRICT, WITHOUT ROWID;

-- Usage that the books did not take; it is tried again.
CREATE TABLE usage_waiting (
    account_id TEXT NOT NULL REFERENCES accounts,
    sdk_app_id INTEGER NOT NULL,
    sku TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    PRIMARY KEY (account_id, sdk_app_id, sku, at_us)
) STRICT, WITHOUT ROWID;
