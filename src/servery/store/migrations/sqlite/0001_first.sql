-- Amounts are nano-dollars, prices pico-dollars per token, times nanoseconds since the Unix epoch; all integers.

-- store ------------------------------------------------------------------------------------------------------------

CREATE TABLE configuration_revision (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    revision INTEGER NOT NULL
) STRICT;

INSERT INTO configuration_revision (only_row, revision) VALUES (1, 1);

-- tenancy ----------------------------------------------------------------------------------------------------------

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    spend_tier INTEGER NOT NULL CHECK (spend_tier BETWEEN 1 AND 4),
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    created_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    display_name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    expires_ns INTEGER,
    revoked_ns INTEGER,
    admin INTEGER NOT NULL CHECK (admin IN (0, 1)),
    last_used_ns INTEGER,
    secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32)
) STRICT;

CREATE UNIQUE INDEX api_keys_by_secret ON api_keys (secret_sha256);
CREATE INDEX api_keys_by_account ON api_keys (account);

-- billing ----------------------------------------------------------------------------------------------------------

CREATE TABLE price_versions (
    price_id TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    input_picodollars_per_token INTEGER NOT NULL CHECK (input_picodollars_per_token >= 0),
    cached_input_picodollars_per_token INTEGER NOT NULL CHECK (cached_input_picodollars_per_token >= 0),
    output_picodollars_per_token INTEGER NOT NULL CHECK (output_picodollars_per_token >= 0),
    recorded_ns INTEGER NOT NULL
) STRICT;

CREATE TRIGGER price_versions_are_never_changed BEFORE UPDATE ON price_versions
BEGIN
    SELECT RAISE(ABORT, 'price versions are append-only');
END;

CREATE TRIGGER price_versions_are_never_deleted BEFORE DELETE ON price_versions
BEGIN
    SELECT RAISE(ABORT, 'price versions are append-only');
END;

-- ledger -----------------------------------------------------------------------------------------------------------

CREATE TABLE ledger_accounts (
    name TEXT PRIMARY KEY,
    opened_ns INTEGER NOT NULL
) STRICT;

-- The sequence is the order of posting.
CREATE TABLE transfers (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    debit_account TEXT NOT NULL REFERENCES ledger_accounts (name),
    credit_account TEXT NOT NULL REFERENCES ledger_accounts (name),
    nanodollars INTEGER NOT NULL CHECK (nanodollars >= 0),
    kind TEXT NOT NULL CHECK (kind IN ('usage', 'reversal')),
    created_ns INTEGER NOT NULL,
    reverses TEXT REFERENCES transfers (id),
    CHECK (debit_account <> credit_account),
    CHECK ((kind = 'reversal') = (reverses IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX transfers_by_id ON transfers (id);
CREATE UNIQUE INDEX transfers_by_reversed ON transfers (reverses) WHERE reverses IS NOT NULL;

CREATE TRIGGER transfers_are_never_changed BEFORE UPDATE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only; a correction is a reversal');
END;

CREATE TRIGGER transfers_are_never_deleted BEFORE DELETE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only; a correction is a reversal');
END;

-- A projection of the transfers: debits less credits. It can be rebuilt at any time.
CREATE TABLE balances (
    ledger_account TEXT PRIMARY KEY REFERENCES ledger_accounts (name),
    nanodollars INTEGER NOT NULL
) STRICT;

-- metering ---------------------------------------------------------------------------------------------------------

CREATE TABLE usage_records (
    sequence INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    price_id TEXT NOT NULL REFERENCES price_versions (price_id),
    prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
    cached_prompt_tokens INTEGER NOT NULL CHECK (cached_prompt_tokens BETWEEN 0 AND prompt_tokens),
    generated_tokens INTEGER NOT NULL CHECK (generated_tokens >= 0),
    reasoning_tokens INTEGER NOT NULL CHECK (reasoning_tokens BETWEEN 0 AND generated_tokens),
    estimated INTEGER NOT NULL CHECK (estimated IN (0, 1)),
    outcome TEXT NOT NULL CHECK (outcome IN ('completed', 'client_gone', 'engine_broke')),
    started_ns INTEGER NOT NULL,
    finished_ns INTEGER NOT NULL,
    replica TEXT NOT NULL,
    queue_wait_us INTEGER NOT NULL,
    time_to_first_token_us INTEGER,
    cost_labels TEXT NOT NULL,
    charge_nanodollars INTEGER NOT NULL CHECK (charge_nanodollars >= 0)
) STRICT;

CREATE UNIQUE INDEX usage_records_by_request ON usage_records (request_id);
-- By time alone, so that records that are posted together are indexed together: with the account in front, a commit
-- would write a page for each account in it.
CREATE INDEX usage_records_by_time ON usage_records (finished_ns);

CREATE TRIGGER usage_records_are_never_changed BEFORE UPDATE ON usage_records
BEGIN
    SELECT RAISE(ABORT, 'usage records are append-only');
END;

CREATE TRIGGER usage_records_are_never_deleted BEFORE DELETE ON usage_records
BEGIN
    SELECT RAISE(ABORT, 'usage records are append-only');
END;

-- The journal of requests that an engine works on: a row that outlives its platform is a request that was cut.
CREATE TABLE open_requests (
    request_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    replica TEXT NOT NULL,
    opened_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
