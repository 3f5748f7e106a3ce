-- name: insert_user
-- Add a user.
INSERT INTO users (account, id, display_name, email, role, service_account, created_ns)
VALUES (:account, :id, :display_name, :email, :role, :service_account, :created_ns);

-- name: user_by_id
-- One user, deleted or not, or no row.
SELECT account, id, display_name, email, role, service_account, created_ns, deleted_ns
FROM users
WHERE account = :account AND id = :id;

-- name: users_of_account
-- The account's users that are not deleted, oldest first.
SELECT account, id, display_name, email, role, service_account, created_ns, deleted_ns
FROM users
WHERE account = :account AND deleted_ns IS NULL
ORDER BY created_ns, id;

-- name: addresses_of_users
-- The addresses of an account's users, deleted or not.
SELECT id, email FROM users WHERE account = :account AND email <> '';

-- name: update_user
-- Change what can be changed of a user.
UPDATE users
SET display_name = :display_name, email = :email, role = :role, deleted_ns = :deleted_ns
WHERE account = :account AND id = :id;

-- name: revoke_keys_of_user
-- Revoke all keys of a user.
UPDATE api_keys SET revoked_ns = :revoked_ns WHERE account = :account AND user_id = :id AND revoked_ns IS NULL;

-- name: notice_addresses
-- The addresses of an account and of its admins who are people.
SELECT email FROM accounts WHERE id = :account AND email <> ''
UNION
SELECT email
FROM users
WHERE account = :account AND role = 'admin' AND email <> '' AND NOT service_account AND deleted_ns IS NULL
ORDER BY email;

-- name: page_of_users
-- Some of an account's users that are not deleted and follow a place, oldest first.
SELECT account, id, display_name, email, role, service_account, created_ns, deleted_ns
FROM users
WHERE account = :account AND deleted_ns IS NULL AND (created_ns, id) > (:after_ns, :after_id)
ORDER BY created_ns, id
LIMIT :most;

-- name: count_users
-- How many users of an account are not deleted.
SELECT count(*) FROM users WHERE account = :account AND deleted_ns IS NULL;
