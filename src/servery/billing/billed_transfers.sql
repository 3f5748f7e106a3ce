-- name: await_transfer_writers
-- Wait until those who are posting have committed: SQLite's writers take turns as it is.
SELECT 1;
-- postgresql:
LOCK TABLE transfers_besides_usage IN SHARE MODE;

-- name: last_transfer
-- The number of the last transfer that is no serverless usage.
SELECT coalesce(max(sequence), 0) FROM transfers_besides_usage;

-- name: transfers_after
-- The transfers between two numbers that are no serverless usage.
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage
WHERE sequence > :after AND sequence <= :until
ORDER BY sequence;

-- name: insert_billed_transfers
-- Keep in which month transfers are shown to accounts.
INSERT INTO billed_transfers (transfer_id, account, billing_month)
VALUES (?, ?, ?);
-- postgresql:
INSERT INTO billed_transfers (transfer_id, account, billing_month)
SELECT r ->> 0, r ->> 1, (r ->> 2)::bigint
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r;

-- name: add_to_billed_sum
-- Add to the sum of a month's transfers of one kind.
INSERT INTO billed_sums (account, billing_month, kind, nanodollars)
VALUES (:account, :billing_month, :kind, :nanodollars)
ON CONFLICT (account, billing_month, kind) DO UPDATE SET nanodollars = billed_sums.nanodollars + excluded.nanodollars;

-- name: billed_sums_of_month
-- The sums that are shown to an account in a month.
SELECT kind, nanodollars FROM billed_sums WHERE account = :account AND billing_month = :month ORDER BY kind;

-- name: billed_transfers_of_month
-- What is shown to an account in a month, in the order of posting.
SELECT transfers.id, transfers.debit_account, transfers.nanodollars, transfers.kind, transfers.created_ns,
       transfers.reverses
FROM billed_transfers
JOIN transfers_besides_usage AS transfers ON transfers.id = billed_transfers.transfer_id
WHERE billed_transfers.account = :account AND billed_transfers.billing_month = :month
ORDER BY transfers.sequence;
