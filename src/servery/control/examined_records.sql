-- name: first_record_from
-- The first record from a number on, or NULL.
SELECT min(sequence) FROM usage_records WHERE sequence >= CAST(:first AS BIGINT);

-- name: sums_of_records
-- The records between two numbers in sums, those apart whose charge is not what tokens and price version say. Larger
-- numbers than these would not be exact in 64 bits.
SELECT account, model, serving_path, price_id, key_id, cost_labels, hour,
       CASE WHEN too_little BETWEEN -499 AND 499 THEN 1 WHEN abs(too_little) = 500 AND charge_nanodollars % 2 = 0 THEN 1
            ELSE 0 END AS agrees,
       count(*), sum(prompt_tokens), sum(cached_prompt_tokens), sum(generated_tokens), sum(charge_nanodollars)
FROM (
    SELECT used.account, used.model, used.serving_path, used.price_id, used.key_id, used.cost_labels,
           used.finished_ns / 3600000000000 AS hour, used.prompt_tokens, used.cached_prompt_tokens,
           used.generated_tokens, used.charge_nanodollars,
           CASE WHEN price.model = used.model AND price.serving_path = used.serving_path
                 AND used.cached_prompt_tokens BETWEEN 0 AND used.prompt_tokens AND used.prompt_tokens <= 3000000
                 AND used.reasoning_tokens BETWEEN 0 AND used.generated_tokens AND used.generated_tokens <= 3000000
                 AND price.input_picodollars_per_token BETWEEN 0 AND 1000000000000
                 AND price.cached_input_picodollars_per_token BETWEEN 0 AND 1000000000000
                 AND price.output_picodollars_per_token BETWEEN 0 AND 1000000000000
                 AND used.charge_nanodollars BETWEEN 0 AND 6000000000000000
                THEN (used.prompt_tokens - used.cached_prompt_tokens) * price.input_picodollars_per_token
                   + used.cached_prompt_tokens * price.cached_input_picodollars_per_token
                   + used.generated_tokens * price.output_picodollars_per_token - 1000 * used.charge_nanodollars
           END AS too_little
    FROM usage_records AS used
    LEFT JOIN price_versions AS price ON price.price_id = used.price_id
    WHERE used.sequence > :after AND used.sequence <= :until
) AS records
GROUP BY hour, key_id, price_id, account, model, serving_path, cost_labels, agrees;

-- name: doubtful_records
-- Of the records between two numbers, those that are to be looked at one by one: their charge is not what tokens and
-- price version say, or the price version is one of a JSON array. What too_little is stands here again, and in no view:
-- of all that is in the database only rows are evidence.
SELECT request_id, account, sequence, finished_ns, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens,
       generated_tokens, reasoning_tokens, charge_nanodollars
FROM (
    SELECT used.request_id, used.account, used.sequence, used.finished_ns, used.model, used.serving_path, used.price_id,
           used.prompt_tokens, used.cached_prompt_tokens, used.generated_tokens, used.reasoning_tokens,
           used.charge_nanodollars,
           CASE WHEN price.model = used.model AND price.serving_path = used.serving_path
                 AND used.cached_prompt_tokens BETWEEN 0 AND used.prompt_tokens AND used.prompt_tokens <= 3000000
                 AND used.reasoning_tokens BETWEEN 0 AND used.generated_tokens AND used.generated_tokens <= 3000000
                 AND price.input_picodollars_per_token BETWEEN 0 AND 1000000000000
                 AND price.cached_input_picodollars_per_token BETWEEN 0 AND 1000000000000
                 AND price.output_picodollars_per_token BETWEEN 0 AND 1000000000000
                 AND used.charge_nanodollars BETWEEN 0 AND 6000000000000000
                THEN (used.prompt_tokens - used.cached_prompt_tokens) * price.input_picodollars_per_token
                   + used.cached_prompt_tokens * price.cached_input_picodollars_per_token
                   + used.generated_tokens * price.output_picodollars_per_token - 1000 * used.charge_nanodollars
           END AS too_little
    FROM usage_records AS used
    LEFT JOIN price_versions AS price ON price.price_id = used.price_id
    WHERE used.sequence > :after AND used.sequence <= :until
) AS records
WHERE NOT coalesce(
    too_little BETWEEN -499 AND 499 OR (abs(too_little) = 500 AND charge_nanodollars % 2 = 0), false
) OR price_id IN (SELECT value FROM json_each(:altered))
ORDER BY sequence;

-- name: rollups_by_hour
-- The hourly sums that are kept, in the order of time.
SELECT usage_series.account, usage_series.model, usage_series.serving_path, usage_series.price_id, usage_series.key_id,
       usage_series.cost_labels, usage_rollups.hour, usage_rollups.requests, usage_rollups.prompt_tokens,
       usage_rollups.cached_prompt_tokens, usage_rollups.generated_tokens, usage_rollups.nanodollars
FROM usage_rollups
JOIN usage_series ON usage_series.id = usage_rollups.series
ORDER BY usage_rollups.hour;

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
