-- name: insert_usage_record
-- Append a usage record with its charge.
INSERT INTO usage_records (
    request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens,
    generated_tokens, reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us,
    time_to_first_token_us, cost_labels, charge_nanodollars
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: posted_usage
-- What was charged for those of a JSON array of request ids that are posted.
SELECT request_id, account, price_id, prompt_tokens, cached_prompt_tokens, generated_tokens, charge_nanodollars
FROM usage_records
WHERE request_id IN (SELECT value FROM json_each(:request_ids));

-- name: insert_open_request
-- Journal a request that an engine begins to work on.
INSERT INTO open_requests (request_id, account, key_id, model, serving_path, replica, opened_ns)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (request_id) DO NOTHING;

-- name: delete_open_requests
-- Take the requests of a JSON array of ids off the journal.
DELETE FROM open_requests WHERE request_id IN (SELECT value FROM json_each(:request_ids));
