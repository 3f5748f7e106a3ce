-- name: await_usage_writers
-- Wait until those who are posting have committed: SQLite's writers take turns as it is.
SELECT 1;
-- postgresql:
LOCK TABLE usage_records IN SHARE MODE;

-- name: last_usage_record
-- The number of the last usage record.
SELECT coalesce(max(sequence), 0) FROM usage_records;

-- name: sums_of_records
-- The records between two numbers, in sums by what they are told apart by.
SELECT account, model, serving_path, price_id, key_id, cost_labels, finished_ns / 3600000000000 AS hour, count(*),
       sum(prompt_tokens), sum(cached_prompt_tokens), sum(generated_tokens), sum(charge_nanodollars)
FROM usage_records
WHERE sequence > :after AND sequence <= :until
GROUP BY account, model, serving_path, price_id, key_id, cost_labels, hour;

-- name: insert_series
-- Make a place for sums, unless it is there.
INSERT INTO usage_series (account, model, serving_path, price_id, key_id, cost_labels)
VALUES (:account, :model, :serving_path, :price_id, :key_id, :cost_labels)
ON CONFLICT (account, model, serving_path, price_id, key_id, cost_labels) DO NOTHING;

-- name: add_to_rollup
-- Add to the sums of an hour.
INSERT INTO usage_rollups (
    series, billing_month, hour, requests, prompt_tokens, cached_prompt_tokens, generated_tokens, nanodollars
)
SELECT id, CAST(:billing_month AS BIGINT), CAST(:hour AS BIGINT), CAST(:requests AS BIGINT),
       CAST(:prompt_tokens AS BIGINT), CAST(:cached_prompt_tokens AS BIGINT), CAST(:generated_tokens AS BIGINT),
       CAST(:nanodollars AS BIGINT)
FROM usage_series
WHERE account = :account AND model = :model AND serving_path = :serving_path AND price_id = :price_id
  AND key_id = :key_id AND cost_labels = :cost_labels
ON CONFLICT (series, billing_month, hour) DO UPDATE
SET requests = usage_rollups.requests + excluded.requests,
    prompt_tokens = usage_rollups.prompt_tokens + excluded.prompt_tokens,
    cached_prompt_tokens = usage_rollups.cached_prompt_tokens + excluded.cached_prompt_tokens,
    generated_tokens = usage_rollups.generated_tokens + excluded.generated_tokens,
    nanodollars = usage_rollups.nanodollars + excluded.nanodollars;
