-- name: usage_of_all
-- Usage of every account in a period, in sums.
SELECT account, model, serving_path,
       CASE WHEN :by_day THEN date(finished_ns / 1000000000, 'unixepoch') END AS day,
       CASE WHEN :by_key THEN key_id END AS used_key,
       count(*), sum(prompt_tokens), sum(cached_prompt_tokens), sum(generated_tokens), sum(charge_nanodollars)
FROM usage_records
WHERE finished_ns >= :since_ns AND finished_ns < :until_ns
GROUP BY account, model, serving_path, day, used_key
ORDER BY account, model, serving_path, day, used_key;

-- name: usage_of_account
-- The same for one account; a query of its own, so that it finds its rows by index.
SELECT account, model, serving_path,
       CASE WHEN :by_day THEN date(finished_ns / 1000000000, 'unixepoch') END AS day,
       CASE WHEN :by_key THEN key_id END AS used_key,
       count(*), sum(prompt_tokens), sum(cached_prompt_tokens), sum(generated_tokens), sum(charge_nanodollars)
FROM usage_records
WHERE account = :account AND finished_ns >= :since_ns AND finished_ns < :until_ns
GROUP BY account, model, serving_path, day, used_key
ORDER BY account, model, serving_path, day, used_key;
