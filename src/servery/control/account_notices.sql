-- name: told_state
-- The last that an account was told of its state, or no row.
SELECT suspend_state, credit_state FROM told_states WHERE account = :account;
-- postgresql:
SELECT suspend_state, credit_state FROM told_states WHERE account = :account FOR UPDATE;

-- name: tell_state
-- Note what an account is told of its state.
INSERT INTO told_states (account, suspend_state, credit_state) VALUES (:account, :suspend_state, :credit_state)
ON CONFLICT (account) DO UPDATE
SET suspend_state = excluded.suspend_state, credit_state = excluded.credit_state;

-- name: expiring_keys
-- Keys that will expire in a period.
SELECT api_keys.key_id, api_keys.account, api_keys.user_id, api_keys.display_name, api_keys.expires_ns
FROM api_keys
WHERE api_keys.expires_ns > :now_ns AND api_keys.expires_ns <= :until_ns AND api_keys.revoked_ns IS NULL
  AND api_keys.created_ns <= :created_until_ns;

-- name: accounts_using_model
-- The accounts that have ever used a model.
SELECT DISTINCT account FROM usage_series WHERE model = :model AND account IN (SELECT id FROM accounts);

-- name: accounts_told_of_suspension
-- The accounts that were last told that they are suspended, or that their credits are at an end.
SELECT account
FROM told_states
WHERE suspend_state <> 'UNSUSPENDED' OR credit_state IN ('low', 'depleted')
ORDER BY account;
