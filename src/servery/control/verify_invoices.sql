-- name: rollups_that_differ
-- Hours in which the sums are not those of the records that are in them.
SELECT account, hour, sum(posted), sum(kept)
FROM (
    SELECT account, model, serving_path, price_id, key_id, cost_labels, finished_ns / 3600000000000 AS hour,
           count(*) AS requests, sum(prompt_tokens) AS prompt_tokens, sum(cached_prompt_tokens) AS cached_tokens,
           sum(generated_tokens) AS generated_tokens, sum(charge_nanodollars) AS nanodollars,
           sum(charge_nanodollars) AS posted, 0 AS kept
    FROM usage_records
    WHERE sequence <= (SELECT sequence FROM watermarks WHERE name = 'usage')
    GROUP BY account, model, serving_path, price_id, key_id, cost_labels, finished_ns / 3600000000000
    UNION ALL
    SELECT usage_series.account, usage_series.model, usage_series.serving_path, usage_series.price_id,
           usage_series.key_id, usage_series.cost_labels, usage_rollups.hour, -usage_rollups.requests,
           -usage_rollups.prompt_tokens, -usage_rollups.cached_prompt_tokens, -usage_rollups.generated_tokens,
           -usage_rollups.nanodollars, 0, usage_rollups.nanodollars
    FROM usage_rollups
    JOIN usage_series ON usage_series.id = usage_rollups.series
) AS sums
GROUP BY account, model, serving_path, price_id, key_id, cost_labels, hour
HAVING sum(requests) <> 0 OR sum(prompt_tokens) <> 0 OR sum(cached_tokens) <> 0 OR sum(generated_tokens) <> 0
    OR sum(nanodollars) <> 0
ORDER BY account, hour;

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
