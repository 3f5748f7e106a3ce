-- name: insert_account
-- Add an account, unless there is one of that id.
INSERT INTO accounts (id, display_name, email, spend_tier, created_ns)
VALUES (:id, :display_name, :email, :spend_tier, :created_ns)
ON CONFLICT (id) DO NOTHING;

-- name: account_by_id
-- One account, or no row.
SELECT id, display_name, email, spend_tier, tier_pinned, suspend_state, prepaid, funded, spend_limit_dollars,
       spend_limit_set_ns, spend_thresholds, created_ns
FROM accounts
WHERE id = :id;

-- name: all_accounts
-- Every account, by id.
SELECT id, display_name, email, spend_tier, tier_pinned, suspend_state, prepaid, funded, spend_limit_dollars,
       spend_limit_set_ns, spend_thresholds, created_ns
FROM accounts
ORDER BY id;

-- name: update_account
-- Change what can be changed of an account.
UPDATE accounts
SET display_name = :display_name, email = :email, spend_tier = :spend_tier, tier_pinned = :tier_pinned,
    suspend_state = :suspend_state, prepaid = :prepaid, funded = :funded, spend_limit_dollars = :spend_limit_dollars,
    spend_limit_set_ns = :spend_limit_set_ns, spend_thresholds = :spend_thresholds
WHERE id = :id;

-- name: touch_account
-- Note that the account, or something of it, changed at the revision that is current now.
UPDATE accounts SET revision = (SELECT revision FROM configuration_revision) WHERE id = :id;

-- name: accounts_since
-- The accounts that changed after a revision.
SELECT id FROM accounts WHERE revision > :revision ORDER BY id;

-- name: page_of_accounts
-- Some accounts that follow a name, by id.
SELECT id, display_name, email, spend_tier, tier_pinned, suspend_state, prepaid, funded, spend_limit_dollars,
       spend_limit_set_ns, spend_thresholds, created_ns
FROM accounts
WHERE id > :after
ORDER BY id
LIMIT :most;

-- name: count_accounts
-- How many accounts there are.
SELECT count(*) FROM accounts;
