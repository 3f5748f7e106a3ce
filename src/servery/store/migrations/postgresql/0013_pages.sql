-- Lists are read page by page, in the order in which they are shown.
CREATE INDEX users_by_age ON users (account, created_ns, id) WHERE deleted_ns IS NULL;
CREATE INDEX api_keys_by_age ON api_keys (account, created_ns, key_id) WHERE revoked_ns IS NULL;
CREATE INDEX credit_redemptions_by_age ON credit_redemptions (account, created_ns, id);
CREATE INDEX credit_codes_by_age ON credit_codes (created_ns, id);
