-- name: charged_by_hour
-- What accounts were charged for usage, by hours since 1970.
SELECT account, finished_ns / 3600000000000 AS hour, sum(charge_nanodollars)
FROM usage_records
GROUP BY account, finished_ns / 3600000000000;

-- name: gpu_charged_by_hour
-- What accounts were charged for GPU time, by the hours in which it began.
SELECT debit_account, created_ns / 3600000000000 AS hour, sum(nanodollars)
FROM transfers_besides_usage
WHERE kind = 'gpu_time'
GROUP BY debit_account, created_ns / 3600000000000;

-- name: credit_used_by_hour
-- What credits have paid for.
SELECT debit_account, created_ns / 3600000000000 AS hour, sum(nanodollars)
FROM transfers_besides_usage
WHERE kind = 'credit_use'
GROUP BY debit_account, created_ns / 3600000000000;

-- name: credits_and_corrections
-- Credits that were given, what came back as credit, and reversals, in the order of posting.
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage
WHERE kind IN ('credit', 'credit_return', 'reversal')
ORDER BY sequence;

-- name: reversed_transfers
-- The transfers that reversals undo, whatever their kind: the view of all transfers, looked up by index.
SELECT request_id AS id, 'accounts/' || account AS debit_account,
       'revenue/' || model || '/' || serving_path AS credit_account,
       charge_nanodollars AS nanodollars, 'usage' AS kind, finished_ns AS created_ns, NULL AS reverses
FROM usage_records
WHERE request_id IN (SELECT reverses FROM transfers_besides_usage WHERE reverses IS NOT NULL)
UNION ALL
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage
WHERE id IN (SELECT reverses FROM transfers_besides_usage WHERE reverses IS NOT NULL)
  AND kind IN ('gpu_time', 'credit', 'credit_use', 'credit_return', 'reversal');

-- name: spending_by_month
-- The sums that are kept of accounts' months.
SELECT account, month, sum(charged_nanodollars), sum(credit_used_nanodollars), sum(credit_added_nanodollars),
       sum(reversed_nanodollars)
FROM spending_months
GROUP BY account, month;

-- name: hold_all_postings
-- Nobody posts until the transaction ends: SQLite's writers take turns as it is.
SELECT 1;
-- postgresql:
LOCK TABLE usage_records, transfers_besides_usage, spending_months, balances IN SHARE ROW EXCLUSIVE MODE;
