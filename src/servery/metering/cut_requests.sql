-- name: insert_cut_request
-- Keep a request that was cut, unless it was charged after all or is kept already.
INSERT INTO cut_requests (
    request_id, account, key_id, model, serving_path, replica, opened_ns, found_ns, acknowledged_ns
)
SELECT :request_id, :account, :key_id, :model, :serving_path, :replica, :opened_ns, :found_ns, NULL
WHERE NOT EXISTS (SELECT 1 FROM usage_records WHERE request_id = :request_id)
ON CONFLICT (request_id) DO NOTHING;

-- name: cut_requests
-- Those that nobody has acknowledged, oldest first.
SELECT request_id, account, key_id, model, serving_path, replica, opened_ns, found_ns
FROM cut_requests
WHERE acknowledged_ns IS NULL
ORDER BY opened_ns, request_id;

-- name: acknowledge_cut_requests
-- Tell of them no more.
UPDATE cut_requests SET acknowledged_ns = :acknowledged_ns WHERE acknowledged_ns IS NULL;
