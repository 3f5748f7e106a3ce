-- name: insert_audit_entry
-- Append an entry.
INSERT INTO audit_logs (
    id, account, method, principal, resource, payload, status, message, is_admin_action, user_agent, client_ip,
    api_key_id, created_ns
)
VALUES (
    :id, :account, :method, :principal, :resource, :payload, :status, :message, :is_admin_action, :user_agent,
    :client_ip, :api_key_id, :created_ns
);

-- name: audit_entries
-- An account's entries before a place in the log, newest first.
SELECT sequence, id, account, method, principal, resource, payload, status, message, is_admin_action, user_agent,
       client_ip, api_key_id, created_ns
FROM audit_logs
WHERE account = :account AND sequence < :before
ORDER BY sequence DESC
LIMIT :most;
