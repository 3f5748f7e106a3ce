-- name: usage_records_with_transfers
-- Every usage record with the transfer that has its id.
SELECT usage_records.request_id, usage_records.account, usage_records.model, usage_records.serving_path,
       usage_records.price_id, usage_records.prompt_tokens, usage_records.cached_prompt_tokens,
       usage_records.generated_tokens, usage_records.reasoning_tokens, usage_records.charge_nanodollars,
       transfers.debit_account, transfers.credit_account, transfers.nanodollars
FROM usage_records
LEFT JOIN transfers ON transfers.id = usage_records.request_id AND transfers.kind = 'usage'
ORDER BY usage_records.sequence;

-- name: transfers_without_usage_record
-- Usage that was charged and never recorded.
SELECT id, nanodollars
FROM transfers
WHERE kind = 'usage' AND NOT EXISTS (SELECT 1 FROM usage_records WHERE request_id = transfers.id)
ORDER BY sequence;

-- name: usage_records_twice
-- Requests that were recorded more than once.
SELECT request_id FROM usage_records GROUP BY request_id HAVING count(*) > 1 ORDER BY request_id;

-- name: transfers_twice
-- Ids under which more than one transfer was posted.
SELECT id FROM transfers GROUP BY id HAVING count(*) > 1 ORDER BY id;

-- name: reversals_that_differ
-- Reversals that do not mirror what they reverse.
SELECT reversal.id, reversed.nanodollars, reversal.nanodollars
FROM transfers AS reversal
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

-- name: sum_of_balances
-- What all kept balances add up to.
SELECT coalesce(sum(nanodollars), 0) FROM balances;

-- name: counts
-- How much there is in the books, and the sum of all charges.
SELECT (SELECT count(*) FROM usage_records), (SELECT count(*) FROM transfers), (SELECT count(*) FROM ledger_accounts),
       (SELECT coalesce(sum(charge_nanodollars), 0) FROM usage_records);
