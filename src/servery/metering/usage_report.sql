-- name: usage_in_period
-- Usage of one account, or of all, in sums.
SELECT account, model, serving_path,
       CASE WHEN :by_day THEN date(finished_ns / 1000000000, 'unixepoch') END AS day,
       CASE WHEN :by_key THEN key_id END AS used_key,
       count(*), sum(prompt_tokens), sum(cached_prompt_tokens), sum(generated_tokens), sum(charge_nanodollars)
FROM usage_records
WHERE finished_ns >= :since_ns AND finished_ns < :until_ns AND (:account IS NULL OR account = :account)
  AND (:user IS NULL OR key_id IN (
      SELECT key_id FROM api_keys WHERE api_keys.account = usage_records.account AND user_id = :user
  ))
GROUP BY account, model, serving_path, day, used_key
ORDER BY account, model, serving_path, day, used_key;
-- postgresql:
SELECT account, model, serving_path,
       CASE WHEN :by_day THEN to_char(to_timestamp(finished_ns / 1000000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD') END AS day,
       CASE WHEN :by_key THEN key_id END AS used_key,
       count(*), sum(prompt_tokens), sum(cached_prompt_tokens), sum(generated_tokens), sum(charge_nanodollars)
FROM usage_records
WHERE finished_ns >= :since_ns AND finished_ns < :until_ns AND (CAST(:account AS TEXT) IS NULL OR account = :account)
  AND (CAST(:user AS TEXT) IS NULL OR key_id IN (
      SELECT key_id FROM api_keys WHERE api_keys.account = usage_records.account AND user_id = :user
  ))
GROUP BY account, model, serving_path, day, used_key
ORDER BY account, model, serving_path, day, used_key;
