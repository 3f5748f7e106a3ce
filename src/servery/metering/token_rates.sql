-- name: tokens_by_minute
-- What one account used of each model in each minute of a period, by the minute in which requests ended.
SELECT finished_ns / 60000000000 AS used_minute, model,
       sum(prompt_tokens - cached_prompt_tokens), sum(cached_prompt_tokens), sum(generated_tokens)
FROM usage_records
WHERE finished_ns >= :since_ns AND finished_ns < :until_ns AND account = :account
GROUP BY finished_ns / 60000000000, model
ORDER BY used_minute, model;
