-- name: open_ledger_account
-- Add a place in the books, unless it is there.
INSERT INTO ledger_accounts (name, opened_ns) VALUES (:name, :opened_ns) ON CONFLICT (name) DO NOTHING;

-- name: transfers_by_ids
-- Those of a JSON array of ids that are posted.
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers
WHERE id IN (SELECT value FROM json_each(:ids));
-- postgresql:
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers
WHERE id IN (SELECT json_array_elements_text(CAST(:ids AS json)));

-- name: insert_transfer
-- Append a transfer.
INSERT INTO transfers (id, debit_account, credit_account, nanodollars, kind, created_ns, reverses)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: move_balance
-- Carry transfers over to the projection: add to a ledger account's balance.
INSERT INTO balances (ledger_account, nanodollars) VALUES (:ledger_account, :nanodollars)
ON CONFLICT (ledger_account) DO UPDATE SET nanodollars = balances.nanodollars + excluded.nanodollars;

-- name: balance
-- The projected balance of a ledger account, or no row.
SELECT nanodollars FROM balances WHERE ledger_account = :ledger_account;

-- name: balances
-- All projected balances.
SELECT ledger_account, nanodollars FROM balances ORDER BY ledger_account;

-- name: clear_balances
-- Throw the projection away, to rebuild it.
DELETE FROM balances;

-- name: project_balances
-- Compute every balance anew from all transfers.
INSERT INTO balances (ledger_account, nanodollars)
SELECT ledger_account, sum(nanodollars)
FROM (
    SELECT debit_account AS ledger_account, nanodollars FROM transfers
    UNION ALL
    SELECT credit_account, -nanodollars FROM transfers
    UNION ALL
    SELECT name, 0 FROM ledger_accounts
) AS entries
GROUP BY ledger_account;
