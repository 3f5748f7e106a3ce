-- name: open_ledger_account
-- Add a place in the books with a balance of zero, unless it is there.
INSERT INTO balances (ledger_account, nanodollars, opened_ns) VALUES (:name, 0, :opened_ns)
ON CONFLICT (ledger_account) DO NOTHING;

-- name: transfers_by_ids
-- Those of a JSON array of ids that are posted, whatever their kind.
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers
WHERE id IN (SELECT value FROM json_each(:ids));

-- name: insert_transfer
-- Append a transfer that is not a usage record's; a trigger moves the two balances.
INSERT INTO transfers_besides_usage (id, debit_account, credit_account, nanodollars, kind, created_ns, reverses)
VALUES (?, ?, ?, ?, ?, ?, ?);
-- postgresql:
INSERT INTO transfers_besides_usage (id, debit_account, credit_account, nanodollars, kind, created_ns, reverses)
SELECT r ->> 0, r ->> 1, r ->> 2, (r ->> 3)::bigint, r ->> 4, (r ->> 5)::bigint, r ->> 6
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r;

-- name: balance
-- The projected balance of a ledger account, or no row.
SELECT nanodollars FROM balances WHERE ledger_account = :ledger_account;

-- name: balances
-- All projected balances.
SELECT ledger_account, nanodollars FROM balances ORDER BY ledger_account;

-- name: clear_balances
-- Throw the projection away, to rebuild it.
UPDATE balances SET nanodollars = 0;

-- name: mark_balances
-- What is in the usage records is in the balances; on PostgreSQL a trigger sees to it.
INSERT INTO watermarks (name, sequence) SELECT 'balances', coalesce(max(sequence), 0) FROM usage_records WHERE true
ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence;
-- postgresql:
SELECT 1;

-- name: project_balances
-- Compute every balance anew from all transfers.
INSERT INTO balances (ledger_account, nanodollars, opened_ns)
SELECT ledger_account, sum(nanodollars), min(created_ns)
FROM (
    SELECT debit_account AS ledger_account, nanodollars, created_ns FROM transfers
    UNION ALL
    SELECT credit_account, -nanodollars, created_ns FROM transfers
) AS entries
WHERE true
GROUP BY ledger_account
ON CONFLICT (ledger_account) DO UPDATE SET nanodollars = balances.nanodollars + excluded.nanodollars;
