-- name: insert_usage_records
-- Append usage records with their charges, those that are there already excepted; on PostgreSQL a trigger moves the balances.
INSERT INTO usage_records (
    request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens,
    generated_tokens, reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us,
    time_to_first_token_us, cost_labels, charge_nanodollars, asked_path, predicted_cached_prompt_tokens, hedge
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (request_id) DO NOTHING;
-- postgresql:
INSERT INTO usage_records (
    request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens,
    generated_tokens, reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us,
    time_to_first_token_us, cost_labels, charge_nanodollars, asked_path, predicted_cached_prompt_tokens, hedge
)
SELECT r ->> 0, r ->> 1, r ->> 2, r ->> 3, r ->> 4, r ->> 5, (r ->> 6)::bigint, (r ->> 7)::bigint,
       (r ->> 8)::bigint, (r ->> 9)::bigint, (r ->> 10)::boolean, r ->> 11, (r ->> 12)::bigint, (r ->> 13)::bigint,
       r ->> 14, (r ->> 15)::bigint, (r ->> 16)::bigint, r ->> 17, (r ->> 18)::bigint,
       r ->> 19, (r ->> 20)::bigint, r ->> 21
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r
ON CONFLICT (request_id) DO NOTHING;

-- name: posted_usage
-- What was charged for those of a JSON array of request ids that are posted.
SELECT request_id, account, price_id, prompt_tokens, cached_prompt_tokens, generated_tokens, charge_nanodollars
FROM usage_records
WHERE request_id IN (SELECT value FROM json_each(:request_ids));
