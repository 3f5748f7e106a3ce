-- A usage record is the transfer of its charge: one row for each request, not two. The table of transfers keeps the
-- others. Balances follow by triggers, so that nothing can be posted past them.

-- Books that contradict themselves are not carried over: their usage would be lost without a trace.
CREATE TABLE usage_that_disagrees (rows_found INTEGER NOT NULL CHECK (rows_found = 0)) STRICT;
INSERT INTO usage_that_disagrees
SELECT count(*) FROM transfers
WHERE kind = 'usage' AND NOT EXISTS (
    SELECT 1 FROM usage_records
    WHERE request_id = transfers.id AND charge_nanodollars = transfers.nanodollars
      AND transfers.debit_account = 'accounts/' || account
      AND transfers.credit_account = 'revenue/' || model || '/' || serving_path
);
INSERT INTO usage_that_disagrees
SELECT count(*) FROM usage_records WHERE NOT EXISTS (SELECT 1 FROM transfers WHERE id = usage_records.request_id);
DROP TABLE usage_that_disagrees;

CREATE TABLE new_balances (
    ledger_account TEXT PRIMARY KEY,
    nanodollars INTEGER NOT NULL,
    opened_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO new_balances (ledger_account, nanodollars, opened_ns)
SELECT name, coalesce(nanodollars, 0), opened_ns
FROM ledger_accounts LEFT JOIN balances ON balances.ledger_account = ledger_accounts.name;

-- ``kind`` is an open set here: the code that posts knows it.
CREATE TABLE transfers_besides_usage (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    debit_account TEXT NOT NULL,
    credit_account TEXT NOT NULL,
    nanodollars INTEGER NOT NULL CHECK (nanodollars >= 0),
    kind TEXT NOT NULL CHECK (kind <> 'usage'),
    created_ns INTEGER NOT NULL,
    reverses TEXT,
    CHECK (debit_account <> credit_account),
    CHECK ((kind = 'reversal') = (reverses IS NOT NULL))
) STRICT;
INSERT INTO transfers_besides_usage
SELECT sequence, id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers WHERE kind <> 'usage';

DROP TABLE balances;
DROP TABLE transfers;
DROP TABLE ledger_accounts;
ALTER TABLE new_balances RENAME TO balances;

CREATE UNIQUE INDEX transfers_besides_usage_by_id ON transfers_besides_usage (id);
CREATE UNIQUE INDEX transfers_besides_usage_by_reversed ON transfers_besides_usage (reverses)
WHERE reverses IS NOT NULL;

CREATE TRIGGER transfers_besides_usage_are_never_changed BEFORE UPDATE ON transfers_besides_usage
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only; a correction is a reversal');
END;

CREATE TRIGGER transfers_besides_usage_are_never_deleted BEFORE DELETE ON transfers_besides_usage
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only; a correction is a reversal');
END;

CREATE TRIGGER transfers_besides_usage_move_balances AFTER INSERT ON transfers_besides_usage
BEGIN
    INSERT INTO balances (ledger_account, nanodollars, opened_ns)
    VALUES (NEW.debit_account, NEW.nanodollars, NEW.created_ns), (NEW.credit_account, -NEW.nanodollars, NEW.created_ns)
    ON CONFLICT (ledger_account) DO UPDATE SET nanodollars = balances.nanodollars + excluded.nanodollars;
END;

CREATE TRIGGER usage_records_move_balances AFTER INSERT ON usage_records
BEGIN
    INSERT INTO balances (ledger_account, nanodollars, opened_ns)
    VALUES ('accounts/' || NEW.account, NEW.charge_nanodollars, NEW.finished_ns),
           ('revenue/' || NEW.model || '/' || NEW.serving_path, -NEW.charge_nanodollars, NEW.finished_ns)
    ON CONFLICT (ledger_account) DO UPDATE SET nanodollars = balances.nanodollars + excluded.nanodollars;
END;

-- Everything that moved money, whichever table it stands in.
CREATE VIEW transfers (id, debit_account, credit_account, nanodollars, kind, created_ns, reverses) AS
SELECT request_id, 'accounts/' || account, 'revenue/' || model || '/' || serving_path, charge_nanodollars, 'usage',
       finished_ns, NULL
FROM usage_records
UNION ALL
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage;

-- Requests that an engine worked on when their platform ended. They cost nothing. ``found_ns``: when the next start
-- found them.
CREATE TABLE cut_requests (
    request_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    replica TEXT NOT NULL,
    opened_ns INTEGER NOT NULL,
    found_ns INTEGER NOT NULL,
    acknowledged_ns INTEGER
) STRICT;
INSERT INTO cut_requests
SELECT request_id, account, key_id, model, serving_path, replica, opened_ns, opened_ns, NULL FROM open_requests;
DROP TABLE open_requests;
