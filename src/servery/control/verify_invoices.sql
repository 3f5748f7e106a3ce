-- name: rollups_by_month
-- What the hourly sums come to by account and month: tokens and charges.
SELECT usage_series.account, usage_rollups.billing_month,
       sum(usage_rollups.prompt_tokens + usage_rollups.generated_tokens), sum(usage_rollups.nanodollars)
FROM usage_rollups
JOIN usage_series ON usage_series.id = usage_rollups.series
GROUP BY usage_series.account, usage_rollups.billing_month;

-- name: gpu_usage_records
-- All GPU time that was posted.
SELECT posting_id, run_id, account, deployment, accelerator_type, accelerators, run_started_ns, from_s, until_s,
       price_id, charge_nanodollars
FROM gpu_usage_records
ORDER BY sequence;

-- name: gpu_transfers
-- All transfers for GPU time.
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage
WHERE kind = 'gpu_time';

-- name: transfers_besides_usage
-- All transfers that are no serverless usage, in the order of posting.
SELECT sequence, id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage
ORDER BY sequence;

-- name: billed_sums
-- The sums of transfers that are shown as one, by account, month and kind.
SELECT account, billing_month, kind, nanodollars FROM billed_sums;

-- name: billed_transfers
-- In which month each transfer is shown to whom.
SELECT transfer_id, account, billing_month FROM billed_transfers;
