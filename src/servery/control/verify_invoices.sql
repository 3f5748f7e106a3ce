-- name: rollups_by_month
-- What the hourly sums come to by account, month and price: tokens and charges.
SELECT usage_series.account, usage_rollups.billing_month, usage_series.model, usage_series.serving_path,
       usage_series.price_id, sum(usage_rollups.prompt_tokens - usage_rollups.cached_prompt_tokens),
       sum(usage_rollups.cached_prompt_tokens), sum(usage_rollups.generated_tokens), sum(usage_rollups.nanodollars)
FROM usage_rollups
JOIN usage_series ON usage_series.id = usage_rollups.series
GROUP BY usage_series.account, usage_rollups.billing_month, usage_series.model, usage_series.serving_path,
         usage_series.price_id;

-- name: credits_used
-- What credits have paid for between two transfers, by the hours of the charges.
SELECT substr(credit_account, 10) AS account, created_ns / 3600000000000 AS hour, sum(nanodollars)
FROM transfers_besides_usage
WHERE kind = 'credit_use' AND nanodollars >= 0 AND credit_account LIKE 'accounts/%'
  AND sequence > :after AND sequence <= :until
GROUP BY substr(credit_account, 10), created_ns / 3600000000000;

-- name: transfers_shown_singly
-- Up to a number, the transfers that are neither serverless usage nor shown as a sum, in the order of posting.
SELECT sequence, id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage
WHERE kind <> 'credit_use' AND sequence <= :until
ORDER BY sequence;

-- name: billed_sums
-- The sums of transfers that are shown as one, by account, month and kind.
SELECT account, billing_month, kind, nanodollars FROM billed_sums;

-- name: billed_transfers
-- In which month each transfer is shown to whom.
SELECT transfer_id, account, billing_month FROM billed_transfers;
