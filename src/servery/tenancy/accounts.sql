-- name: insert_account
-- Add an account.
INSERT INTO accounts (id, display_name, spend_tier, state, created_ns)
VALUES (:id, :display_name, :spend_tier, :state, :created_ns);

-- name: account_by_id
-- One account, or no row.
SELECT id, display_name, spend_tier, state, created_ns FROM accounts WHERE id = :id;

-- name: all_accounts
-- Every account, by id.
SELECT id, display_name, spend_tier, state, created_ns FROM accounts ORDER BY id;

-- name: set_account_state
-- Suspend an account or let it work again.
UPDATE accounts SET state = :state WHERE id = :id;
