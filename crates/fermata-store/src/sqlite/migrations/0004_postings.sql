-- Finds ledger transactions by why money or minutes moved, in the order of the journal: a few purchases and bills
-- lie among very many bookings of mere consumption. The word is in the row's JSON already.

CREATE INDEX journal_by_posting ON journal (account_id, body ->> '$.is.kind', seq) WHERE kind = 'txn';
