-- name: usage_records_twice
-- Requests that were recorded more than once.
SELECT request_id FROM usage_records GROUP BY request_id HAVING count(*) > 1 ORDER BY request_id;

-- name: transfers_twice
-- Ids under which more than one transfer was posted that is not a usage record's.
SELECT id FROM transfers_besides_usage GROUP BY id HAVING count(*) > 1
UNION
SELECT id FROM transfers_besides_usage WHERE EXISTS (SELECT 1 FROM usage_records WHERE request_id = id)
ORDER BY id;

-- name: reversals_that_differ
-- Reversals that do not mirror what they reverse, which is looked up by index.
WITH reversed AS (
    SELECT request_id AS id, 'accounts/' || account AS debit_account,
           'revenue/' || model || '/' || serving_path AS credit_account,
           charge_nanodollars AS nanodollars, 'usage' AS kind, finished_ns AS created_ns, NULL AS reverses
    FROM usage_records
    WHERE request_id IN (SELECT reverses FROM transfers_besides_usage WHERE reverses IS NOT NULL)
    UNION ALL
    SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
    FROM transfers_besides_usage
    WHERE id IN (SELECT reverses FROM transfers_besides_usage WHERE reverses IS NOT NULL)
)
SELECT reversal.id, reversed.nanodollars, reversal.nanodollars
FROM transfers_besides_usage AS reversal
LEFT JOIN reversed ON reversed.id = reversal.reverses
WHERE reversal.kind = 'reversal'
  AND (
      reversed.id IS NULL
      OR reversed.nanodollars <> reversal.nanodollars
      OR reversed.debit_account <> reversal.credit_account
      OR reversed.credit_account <> reversal.debit_account
  )
ORDER BY reversal.sequence;

-- name: moved_besides_usage
-- What transfers that are no serverless usage come to in each ledger account.
SELECT ledger_account, sum(nanodollars)
FROM (
    SELECT debit_account AS ledger_account, nanodollars FROM transfers_besides_usage
    UNION ALL
    SELECT credit_account, -nanodollars FROM transfers_besides_usage
) AS entries
GROUP BY ledger_account;

-- name: balances
-- All kept balances.
SELECT ledger_account, nanodollars FROM balances;

-- name: credits_that_differ
-- Credits whose transfer and whose entry in the account's list do not say the same.
SELECT id, sum(posted), sum(listed)
FROM (
    SELECT id, credit_account AS place, created_ns, nanodollars AS posted, 0 AS listed
    FROM transfers_besides_usage
    WHERE kind = 'credit'
    UNION ALL
    SELECT id, 'credits/' || account, created_ns, 0, nanodollars FROM credit_redemptions
) AS amounts
GROUP BY id, place, created_ns
HAVING sum(posted) <> sum(listed)
ORDER BY id;

-- name: counts
-- How much there is in the books beside usage records.
SELECT (SELECT count(*) FROM transfers_besides_usage), (SELECT count(*) FROM balances), (SELECT count(*) FROM invoices);
