-- name: receipt
-- One request of an account, or no row.
SELECT r.sequence, r.request_id, r.account, r.key_id, r.model, r.asked_path, r.serving_path, r.price_id,
       p.input_picodollars_per_token, p.cached_input_picodollars_per_token, p.output_picodollars_per_token,
       r.prompt_tokens, r.cached_prompt_tokens, r.generated_tokens, r.reasoning_tokens, r.estimated,
       r.predicted_cached_prompt_tokens, r.outcome, r.started_ns, r.finished_ns, r.replica, r.queue_wait_us,
       r.time_to_first_token_us, r.cost_labels, r.charge_nanodollars, r.hedge
FROM usage_records AS r
JOIN price_versions AS p ON p.price_id = r.price_id
WHERE r.request_id = :request_id AND r.account = :account;

-- name: receipts_of_tail
-- An account's latest requests among those that are not in the hourly sums.
SELECT r.sequence, r.request_id, r.account, r.key_id, r.model, r.asked_path, r.serving_path, r.price_id,
       p.input_picodollars_per_token, p.cached_input_picodollars_per_token, p.output_picodollars_per_token,
       r.prompt_tokens, r.cached_prompt_tokens, r.generated_tokens, r.reasoning_tokens, r.estimated,
       r.predicted_cached_prompt_tokens, r.outcome, r.started_ns, r.finished_ns, r.replica, r.queue_wait_us,
       r.time_to_first_token_us, r.cost_labels, r.charge_nanodollars, r.hedge
FROM usage_records AS r
JOIN price_versions AS p ON p.price_id = r.price_id
WHERE r.sequence > :mark AND r.account = :account
  AND (r.finished_ns < :before_ns OR (r.finished_ns = :before_ns AND r.sequence < :before_sequence))
ORDER BY r.finished_ns DESC, r.sequence DESC
LIMIT :most;

-- name: receipts_of_hour
-- An account's latest requests of an hour among those that are in the hourly sums.
SELECT r.sequence, r.request_id, r.account, r.key_id, r.model, r.asked_path, r.serving_path, r.price_id,
       p.input_picodollars_per_token, p.cached_input_picodollars_per_token, p.output_picodollars_per_token,
       r.prompt_tokens, r.cached_prompt_tokens, r.generated_tokens, r.reasoning_tokens, r.estimated,
       r.predicted_cached_prompt_tokens, r.outcome, r.started_ns, r.finished_ns, r.replica, r.queue_wait_us,
       r.time_to_first_token_us, r.cost_labels, r.charge_nanodollars, r.hedge
FROM usage_records AS r
JOIN price_versions AS p ON p.price_id = r.price_id
WHERE r.finished_ns >= :since_ns AND r.finished_ns < :until_ns AND r.sequence <= :mark AND r.account = :account
  AND (r.finished_ns < :before_ns OR (r.finished_ns = :before_ns AND r.sequence < :before_sequence))
ORDER BY r.finished_ns DESC, r.sequence DESC
LIMIT :most;

-- name: last_summed
-- When the last of the records ended that are in the hourly sums.
SELECT finished_ns FROM usage_records WHERE sequence <= :mark ORDER BY sequence DESC LIMIT 1;

-- name: hours_with_usage
-- The latest hours since some month in which an account has used anything. What was used in a month is billed in it or
-- later, so that the sums of the months before need not be read.
SELECT DISTINCT usage_rollups.hour
FROM usage_series
JOIN usage_rollups ON usage_rollups.series = usage_series.id
WHERE usage_series.account = :account AND usage_rollups.billing_month >= :since_month
  AND usage_rollups.hour >= :since AND usage_rollups.hour <= :until
ORDER BY usage_rollups.hour DESC
LIMIT :most;
