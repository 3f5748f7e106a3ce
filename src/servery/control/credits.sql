-- name: insert_credit
-- Note a credit that an account was given.
INSERT INTO credit_redemptions (id, account, code_id, nanodollars, description, created_ns)
VALUES (:id, :account, :code_id, :nanodollars, :description, :created_ns);

-- name: credits_of_account
-- The credits that an account was given, oldest first.
SELECT id, account, code_id, nanodollars, description, created_ns
FROM credit_redemptions
WHERE account = :account
ORDER BY created_ns, id;

-- name: redemption_of_code
-- Whether an account has redeemed a code.
SELECT id FROM credit_redemptions WHERE account = :account AND code_id = :code_id;

-- name: insert_code
-- Add a code, of which only the hash is kept.
INSERT INTO credit_codes (
    code_sha256, id, prefix, description, nanodollars, redemptions_max, redemptions, expires_ns, created_ns
)
VALUES (
    :code_sha256, :id, :prefix, :description, :nanodollars, :redemptions_max, :redemptions, :expires_ns, :created_ns
);

-- name: code_by_secret
-- The code with this hash, or no row.
SELECT id, prefix, description, nanodollars, redemptions_max, redemptions, expires_ns, created_ns, disabled_ns
FROM credit_codes
WHERE code_sha256 = :code_sha256;

-- name: all_codes
-- Every code, oldest first.
SELECT id, prefix, description, nanodollars, redemptions_max, redemptions, expires_ns, created_ns, disabled_ns
FROM credit_codes
ORDER BY created_ns, id;

-- name: use_code
-- Count one more redemption, if there is one left.
UPDATE credit_codes SET redemptions = redemptions + 1 WHERE id = :id AND redemptions < redemptions_max;

-- name: disable_code
-- Redeem a code no more; the time of the first call stays.
UPDATE credit_codes SET disabled_ns = coalesce(disabled_ns, :disabled_ns) WHERE id = :id;

-- name: page_of_credits
-- Some credits that an account was given and that follow a place, oldest first.
SELECT id, account, code_id, nanodollars, description, created_ns
FROM credit_redemptions
WHERE account = :account AND (created_ns, id) > (:after_ns, :after_id)
ORDER BY created_ns, id
LIMIT :most;

-- name: count_credits
-- How many credits an account was given.
SELECT count(*) FROM credit_redemptions WHERE account = :account;

-- name: page_of_codes
-- Some codes that follow a place, oldest first.
SELECT id, prefix, description, nanodollars, redemptions_max, redemptions, expires_ns, created_ns, disabled_ns
FROM credit_codes
WHERE (created_ns, id) > (:after_ns, :after_id)
ORDER BY created_ns, id
LIMIT :most;

-- name: count_codes
-- How many codes there are.
SELECT count(*) FROM credit_codes;
