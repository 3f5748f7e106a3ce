-- name: open_requests
-- The journal, oldest first.
SELECT request_id, account, key_id, model, serving_path, replica, opened_ns
FROM open_requests
ORDER BY opened_ns, request_id;
