-- name: rows_twice
-- Rows that there may be but one of, where the index that sees to it was removed.
SELECT name, subject
FROM (
    SELECT 'balances' AS name, ledger_account AS subject FROM balances
    UNION ALL SELECT 'billed_sums', account || ' ' || billing_month || ' ' || kind FROM billed_sums
    UNION ALL SELECT 'closed_months', CAST(month AS TEXT) FROM closed_months
    UNION ALL SELECT 'credit_codes', id FROM credit_codes
    UNION ALL SELECT 'credit_redemptions', id FROM credit_redemptions
    UNION ALL SELECT 'gpu_price_versions', price_id FROM gpu_price_versions
    UNION ALL SELECT 'invoices', CAST(number AS TEXT) FROM invoices
    UNION ALL SELECT 'invoices', account || ' ' || month FROM invoices
    UNION ALL SELECT 'price_versions', price_id FROM price_versions
    UNION ALL SELECT 'spending_months', account || ' ' || month || ' ' || writer FROM spending_months
    UNION ALL SELECT 'watermarks', name FROM watermarks
) AS found
GROUP BY name, subject
HAVING count(*) > 1
ORDER BY name, subject;

-- name: malformed_transfers
-- Transfers of a shape that nothing posts; of usage, among what was reversed.
SELECT request_id AS id
FROM usage_records
WHERE charge_nanodollars < 0
  AND request_id IN (SELECT reverses FROM transfers_besides_usage WHERE reverses IS NOT NULL)
UNION ALL
SELECT id
FROM transfers_besides_usage
WHERE NOT (
    nanodollars >= 0 AND debit_account <> credit_account AND (kind = 'reversal') = (reverses IS NOT NULL)
    AND CASE kind
        WHEN 'reversal' THEN id = 'reversal/' || reverses
        WHEN 'gpu_time' THEN id LIKE 'gpu/%' AND debit_account LIKE 'accounts/%' AND credit_account LIKE 'revenue/gpu/%'
        WHEN 'credit' THEN debit_account = 'grants' AND credit_account LIKE 'credits/%'
        WHEN 'credit_use' THEN id LIKE 'credit_use/%' AND debit_account = 'credits/' || substr(credit_account, 10)
                               AND credit_account LIKE 'accounts/%'
        WHEN 'credit_return' THEN id LIKE 'credit_return/reversal/%' AND debit_account LIKE 'accounts/%'
                                  AND credit_account = 'credits/' || substr(debit_account, 10)
        ELSE FALSE
    END
)
ORDER BY id;

-- name: marks
-- How far each projection has come, beside the last row there is; on PostgreSQL balances need no mark.
SELECT marks.name, marks.sequence, rows_there.last
FROM (
    SELECT 'usage' AS name, coalesce(max(sequence), 0) AS last FROM usage_records
    UNION ALL SELECT 'transfers', coalesce(max(sequence), 0) FROM transfers_besides_usage
    UNION ALL SELECT 'balances', coalesce(max(sequence), 0) FROM usage_records
    UNION ALL SELECT 'price_changes', coalesce(max(sequence), 0) FROM price_changes
) AS rows_there
LEFT JOIN watermarks AS marks ON marks.name = rows_there.name
ORDER BY rows_there.name;
-- postgresql:
SELECT marks.name, marks.sequence, rows_there.last
FROM (
    SELECT 'usage' AS name, coalesce(max(sequence), 0) AS last FROM usage_records
    UNION ALL SELECT 'transfers', coalesce(max(sequence), 0) FROM transfers_besides_usage
    UNION ALL SELECT 'price_changes', coalesce(max(sequence), 0) FROM price_changes
) AS rows_there
LEFT JOIN watermarks AS marks ON marks.name = rows_there.name
ORDER BY rows_there.name;

-- name: sealed_price_changes
-- All price changes with what seals them, in the order in which they were added.
SELECT price_changes.sequence, price_changes.price_id, price_changes.from_ns, price_changes.recorded_ns,
       price_changes.seal, EXISTS (SELECT 1 FROM price_versions WHERE price_id = price_changes.price_id)
FROM price_changes
ORDER BY price_changes.sequence;

-- name: codes_that_differ
-- Codes that were not redeemed as often, or for as much, as is kept; and those that were redeemed and are not there.
SELECT id
FROM credit_codes
WHERE redemptions <> (SELECT count(*) FROM credit_redemptions WHERE code_id = credit_codes.id)
   OR redemptions NOT BETWEEN 0 AND redemptions_max
   OR EXISTS (
       SELECT 1 FROM credit_redemptions
       WHERE code_id = credit_codes.id AND credit_redemptions.nanodollars <> credit_codes.nanodollars
   )
UNION
SELECT code_id
FROM credit_redemptions
WHERE code_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM credit_codes WHERE id = code_id)
ORDER BY id;

-- name: owners_of_keys
-- Whose each key is.
SELECT key_id, account FROM api_keys;
