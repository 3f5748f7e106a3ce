-- name: await_usage_writers
-- Wait until those who are posting have committed: SQLite's writers take turns as it is.
SELECT 1;
-- postgresql:
LOCK TABLE usage_records IN SHARE MODE;

-- name: last_usage_record
-- The number of the last usage record.
SELECT coalesce(max(sequence), 0) FROM usage_records;

-- name: sums_of_records
-- The records between two numbers, in sums by what they are told apart by; each with its series, where that has a place.
SELECT usage_series.id, hour, requests, prompt_tokens, cached_prompt_tokens, generated_tokens, nanodollars,
       sums.account, sums.model, sums.serving_path, sums.price_id, sums.key_id, sums.cost_labels
FROM (
    SELECT account, model, serving_path, price_id, key_id, cost_labels, finished_ns / 3600000000000 AS hour,
           count(*) AS requests, sum(prompt_tokens) AS prompt_tokens,
           sum(cached_prompt_tokens) AS cached_prompt_tokens, sum(generated_tokens) AS generated_tokens,
           sum(charge_nanodollars) AS nanodollars
    FROM usage_records
    WHERE sequence > :after AND sequence <= :until
    GROUP BY account, model, serving_path, price_id, key_id, cost_labels, hour
) AS sums
LEFT JOIN usage_series
    ON usage_series.account = sums.account AND usage_series.model = sums.model
    AND usage_series.serving_path = sums.serving_path AND usage_series.price_id = sums.price_id
    AND usage_series.key_id = sums.key_id AND usage_series.cost_labels = sums.cost_labels;

-- name: insert_series
-- Make a place for sums, unless it is there.
INSERT INTO usage_series (account, model, serving_path, price_id, key_id, cost_labels)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (account, model, serving_path, price_id, key_id, cost_labels) DO NOTHING;

-- name: add_to_rollup
-- Add to the sums of an hour.
INSERT INTO usage_rollups (
    series, billing_month, hour, requests, prompt_tokens, cached_prompt_tokens, generated_tokens, nanodollars
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (series, billing_month, hour) DO UPDATE
SET requests = usage_rollups.requests + excluded.requests,
    prompt_tokens = usage_rollups.prompt_tokens + excluded.prompt_tokens,
    cached_prompt_tokens = usage_rollups.cached_prompt_tokens + excluded.cached_prompt_tokens,
    generated_tokens = usage_rollups.generated_tokens + excluded.generated_tokens,
    nanodollars = usage_rollups.nanodollars + excluded.nanodollars;
-- postgresql:
INSERT INTO usage_rollups (
    series, billing_month, hour, requests, prompt_tokens, cached_prompt_tokens, generated_tokens, nanodollars
)
SELECT (r ->> 0)::bigint, (r ->> 1)::bigint, (r ->> 2)::bigint, (r ->> 3)::bigint, (r ->> 4)::bigint,
       (r ->> 5)::bigint, (r ->> 6)::bigint, (r ->> 7)::bigint
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r
ON CONFLICT (series, billing_month, hour) DO UPDATE
SET requests = usage_rollups.requests + excluded.requests,
    prompt_tokens = usage_rollups.prompt_tokens + excluded.prompt_tokens,
    cached_prompt_tokens = usage_rollups.cached_prompt_tokens + excluded.cached_prompt_tokens,
    generated_tokens = usage_rollups.generated_tokens + excluded.generated_tokens,
    nanodollars = usage_rollups.nanodollars + excluded.nanodollars;
