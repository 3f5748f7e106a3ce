-- name: insert_api_key
-- Add a key, of which only the hash is kept.
INSERT INTO api_keys (
    key_id, account, user_id, display_name, prefix, created_ns, expires_ns, admin, secret_sha256
)
VALUES (:key_id, :account, :user, :display_name, :prefix, :created_ns, :expires_ns, :admin, :secret_sha256);

-- name: api_keys_of_account
-- The keys of an account, or of one of its users, oldest first.
SELECT key_id, account, user_id, display_name, prefix, created_ns, expires_ns, revoked_ns, admin, last_used_ns
FROM api_keys
WHERE account = :account AND (CAST(:user AS TEXT) IS NULL OR user_id = :user)
ORDER BY created_ns, key_id;

-- name: revoke_api_key
-- Revoke a key; the time of its first revocation stays.
UPDATE api_keys
SET revoked_ns = coalesce(revoked_ns, :revoked_ns)
WHERE account = :account AND key_id = :key_id AND (CAST(:user AS TEXT) IS NULL OR user_id = :user);

-- name: api_key_by_secret
-- What authentication needs to know of the key with this hash, or no row.
SELECT api_keys.secret_sha256, api_keys.key_id, api_keys.account, api_keys.user_id, api_keys.expires_ns,
       api_keys.revoked_ns, api_keys.admin, users.role, accounts.spend_tier, accounts.funded, accounts.suspend_state
FROM api_keys
JOIN accounts ON accounts.id = api_keys.account
JOIN users ON users.account = api_keys.account AND users.id = api_keys.user_id
WHERE api_keys.secret_sha256 = :secret_sha256;

-- name: api_keys_to_remember
-- The same of all keys of an account.
SELECT api_keys.secret_sha256, api_keys.key_id, api_keys.account, api_keys.user_id, api_keys.expires_ns,
       api_keys.revoked_ns, api_keys.admin, users.role, accounts.spend_tier, accounts.funded, accounts.suspend_state
FROM api_keys
JOIN accounts ON accounts.id = api_keys.account
JOIN users ON users.account = api_keys.account AND users.id = api_keys.user_id
WHERE api_keys.account = :account;

-- name: record_last_use
-- Note when keys were last used, each once; never moves back.
WITH used (id, moment_ns) AS (
    VALUES (?, ?)
)
UPDATE api_keys
SET last_used_ns = used.moment_ns
FROM used
WHERE key_id = used.id AND (last_used_ns IS NULL OR last_used_ns < used.moment_ns);
-- postgresql:
WITH used (id, moment_ns) AS (
    SELECT r ->> 0, (r ->> 1)::bigint FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r
)
UPDATE api_keys
SET last_used_ns = used.moment_ns
FROM used
WHERE key_id = used.id AND (last_used_ns IS NULL OR last_used_ns < used.moment_ns);

-- name: page_of_api_keys
-- Some keys of an account, or of one of its users, that are not revoked and follow a place, oldest first.
SELECT key_id, account, user_id, display_name, prefix, created_ns, expires_ns, revoked_ns, admin, last_used_ns
FROM api_keys
WHERE account = :account AND revoked_ns IS NULL AND (CAST(:user AS TEXT) IS NULL OR user_id = :user)
  AND (created_ns, key_id) > (:after_ns, :after_id)
ORDER BY created_ns, key_id
LIMIT :most;

-- name: count_api_keys
-- How many of them there are.
SELECT count(*)
FROM api_keys
WHERE account = :account AND revoked_ns IS NULL AND (CAST(:user AS TEXT) IS NULL OR user_id = :user);
