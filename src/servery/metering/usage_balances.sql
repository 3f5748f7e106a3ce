-- name: balances_moved_to
-- Up to which usage record balances have moved, and the last there is; a mark that is missing stands at the last.
SELECT coalesce((SELECT sequence FROM watermarks WHERE name = 'balances'), last), last
FROM (SELECT coalesce(max(sequence), 0) AS last FROM usage_records) AS records;

-- name: move_balances
-- Add to balances; the names are told apart.
INSERT INTO balances (ledger_account, nanodollars, opened_ns)
VALUES (?, ?, ?)
ON CONFLICT (ledger_account) DO UPDATE SET nanodollars = balances.nanodollars + excluded.nanodollars;

-- name: move_balances_after
-- Add to balances what usage records after a number moved.
INSERT INTO balances (ledger_account, nanodollars, opened_ns)
SELECT ledger_account, sum(nanodollars), min(opened_ns)
FROM (
    SELECT 'accounts/' || account AS ledger_account, charge_nanodollars AS nanodollars, finished_ns AS opened_ns
    FROM usage_records WHERE sequence > :after
    UNION ALL
    SELECT 'revenue/' || model || '/' || serving_path, -charge_nanodollars, finished_ns
    FROM usage_records WHERE sequence > :after
) AS entries
WHERE true
GROUP BY ledger_account
ON CONFLICT (ledger_account) DO UPDATE SET nanodollars = balances.nanodollars + excluded.nanodollars;

-- name: mark_balances
-- Balances have moved up to a usage record.
INSERT INTO watermarks (name, sequence) VALUES ('balances', :sequence)
ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence;
