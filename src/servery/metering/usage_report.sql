-- name: series_of_account
-- What the usage of one account is told apart by.
SELECT id, account, key_id, model, serving_path, price_id, cost_labels FROM usage_series WHERE account = :account;

-- name: series_of_all
-- What usage is told apart by.
SELECT id, account, key_id, model, serving_path, price_id, cost_labels FROM usage_series;

-- name: users_of_keys
-- Whose each key of an account is.
SELECT key_id, user_id FROM api_keys WHERE account = :account;

-- name: rollups_of_series
-- The hourly sums of some series in a period of whole hours.
SELECT series, CASE WHEN :by_hour = 1 THEN hour ELSE 0 END AS asked_hour, sum(requests), sum(prompt_tokens),
       sum(cached_prompt_tokens), sum(generated_tokens), sum(nanodollars)
FROM usage_rollups
WHERE series IN (SELECT value FROM json_each(:series)) AND hour >= :first_hour AND hour < :end_hour
GROUP BY series, asked_hour
ORDER BY series, asked_hour;
-- postgresql:
SELECT series, CASE WHEN :by_hour = 1 THEN hour ELSE 0 END AS asked_hour, sum(requests), sum(prompt_tokens),
       sum(cached_prompt_tokens), sum(generated_tokens), sum(nanodollars)
FROM usage_rollups
WHERE series IN (SELECT CAST(json_array_elements_text(CAST(:series AS json)) AS BIGINT))
  AND hour >= :first_hour AND hour < :end_hour
GROUP BY series, asked_hour
ORDER BY series, asked_hour;

-- name: rollups_of_month
-- The sums of some series in a billing month.
SELECT series, sum(requests), sum(prompt_tokens), sum(cached_prompt_tokens), sum(generated_tokens), sum(nanodollars)
FROM usage_rollups
WHERE series IN (SELECT value FROM json_each(:series)) AND billing_month = :month
GROUP BY series
ORDER BY series;
-- postgresql:
SELECT series, sum(requests), sum(prompt_tokens), sum(cached_prompt_tokens), sum(generated_tokens), sum(nanodollars)
FROM usage_rollups
WHERE series IN (SELECT CAST(json_array_elements_text(CAST(:series AS json)) AS BIGINT)) AND billing_month = :month
GROUP BY series
ORDER BY series;

-- name: all_rollups
-- The hourly sums of all series in a period of whole hours.
SELECT series, CASE WHEN :by_hour = 1 THEN hour ELSE 0 END AS asked_hour, sum(requests), sum(prompt_tokens),
       sum(cached_prompt_tokens), sum(generated_tokens), sum(nanodollars)
FROM usage_rollups
WHERE hour >= :first_hour AND hour < :end_hour
GROUP BY series, asked_hour
ORDER BY series, asked_hour;

-- name: records_up_to
-- Records of an account and a period that are in the hourly sums, in sums of their own.
SELECT account, key_id, model, serving_path, price_id, cost_labels,
       CASE WHEN :by_hour = 1 THEN finished_ns / 3600000000000 ELSE 0 END AS asked_hour, count(*), sum(prompt_tokens),
       sum(cached_prompt_tokens), sum(generated_tokens), sum(charge_nanodollars)
FROM usage_records
WHERE account = :account AND finished_ns >= :since_ns AND finished_ns < :until_ns AND sequence <= :mark
GROUP BY account, key_id, model, serving_path, price_id, cost_labels, asked_hour;

-- name: all_records_up_to
-- The same of all accounts: those that are in the hourly sums.
SELECT account, key_id, model, serving_path, price_id, cost_labels,
       CASE WHEN :by_hour = 1 THEN finished_ns / 3600000000000 ELSE 0 END AS asked_hour, count(*), sum(prompt_tokens),
       sum(cached_prompt_tokens), sum(generated_tokens), sum(charge_nanodollars)
FROM usage_records
WHERE account IN (SELECT account FROM usage_series)
  AND finished_ns >= :since_ns AND finished_ns < :until_ns AND sequence <= :mark
GROUP BY account, key_id, model, serving_path, price_id, cost_labels, asked_hour;

-- name: records_after
-- Records of a period that are not yet in the hourly sums, in sums of their own.
SELECT account, key_id, model, serving_path, price_id, cost_labels,
       CASE WHEN :by_hour = 1 THEN finished_ns / 3600000000000 ELSE 0 END AS asked_hour, count(*), sum(prompt_tokens),
       sum(cached_prompt_tokens), sum(generated_tokens), sum(charge_nanodollars)
FROM usage_records
WHERE sequence > :mark AND finished_ns >= :since_ns AND finished_ns < :until_ns
  AND (CAST(:account AS TEXT) IS NULL OR account = :account)
GROUP BY account, key_id, model, serving_path, price_id, cost_labels, asked_hour;
