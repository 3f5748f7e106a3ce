-- name: usage_records
-- Every usage record, as far as its charge depends on it.
SELECT request_id, account, sequence, finished_ns, model, serving_path, price_id, prompt_tokens,
       cached_prompt_tokens, generated_tokens, reasoning_tokens, charge_nanodollars
FROM usage_records
ORDER BY sequence;

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
-- Reversals that do not mirror what they reverse.
SELECT reversal.id, reversed.nanodollars, reversal.nanodollars
FROM transfers_besides_usage AS reversal
LEFT JOIN transfers AS reversed ON reversed.id = reversal.reverses
WHERE reversal.kind = 'reversal'
  AND (
      reversed.id IS NULL
      OR reversed.nanodollars <> reversal.nanodollars
      OR reversed.debit_account <> reversal.credit_account
      OR reversed.credit_account <> reversal.debit_account
  )
ORDER BY reversal.sequence;

-- name: balances_that_differ
-- Ledger accounts whose transfers do not sum to the balance that is kept.
SELECT ledger_account, sum(posted), sum(kept)
FROM (
    SELECT debit_account AS ledger_account, nanodollars AS posted, 0 AS kept FROM transfers
    UNION ALL
    SELECT credit_account, -nanodollars, 0 FROM transfers
    UNION ALL
    SELECT ledger_account, 0, nanodollars FROM balances
) AS entries
GROUP BY ledger_account
HAVING sum(posted) <> sum(kept)
ORDER BY ledger_account;

-- name: spending_that_differs
-- Accounts whose charges do not sum to the spending that is kept of their months.
SELECT account, sum(posted), sum(kept)
FROM (
    SELECT account, charge_nanodollars AS posted, 0 AS kept FROM usage_records
    UNION ALL
    SELECT account, charge_nanodollars, 0 FROM gpu_usage_records
    UNION ALL
    SELECT account, 0, charged_nanodollars FROM spending_months
) AS amounts
GROUP BY account
HAVING sum(posted) <> sum(kept)
ORDER BY account;

-- name: sum_of_balances
-- What all kept balances add up to.
SELECT coalesce(sum(nanodollars), 0) FROM balances;

-- name: counts
-- How much there is in the books, and the sum of all charges.
SELECT (SELECT count(*) FROM usage_records), (SELECT count(*) FROM transfers), (SELECT count(*) FROM balances),
       (SELECT coalesce(sum(charge_nanodollars), 0) FROM usage_records), (SELECT count(*) FROM invoices);
