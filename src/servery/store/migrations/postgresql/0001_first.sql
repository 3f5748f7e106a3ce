-- Amounts are nano-dollars, prices pico-dollars per token, times nanoseconds since the Unix epoch; all integers.

-- store ------------------------------------------------------------------------------------------------------------

CREATE TABLE configuration_revision (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    revision BIGINT NOT NULL
);

INSERT INTO configuration_revision (only_row, revision) VALUES (1, 1);

-- For the triggers of tables that are only ever added to.
CREATE FUNCTION refuse_as_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END
$$;

-- tenancy ----------------------------------------------------------------------------------------------------------

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    spend_tier BIGINT NOT NULL CHECK (spend_tier BETWEEN 1 AND 4),
    state TEXT NOT NULL CHECK (state IN ('active', 'suspended')),
    created_ns BIGINT NOT NULL
);

CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    display_name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    created_ns BIGINT NOT NULL,
    expires_ns BIGINT,
    revoked_ns BIGINT,
    admin BOOLEAN NOT NULL,
    last_used_ns BIGINT,
    secret_sha256 BYTEA NOT NULL CHECK (length(secret_sha256) = 32)
);

CREATE UNIQUE INDEX api_keys_by_secret ON api_keys (secret_sha256);
CREATE INDEX api_keys_by_account ON api_keys (account);

-- billing ----------------------------------------------------------------------------------------------------------

CREATE TABLE price_versions (
    price_id TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    input_picodollars_per_token BIGINT NOT NULL CHECK (input_picodollars_per_token >= 0),
    cached_input_picodollars_per_token BIGINT NOT NULL CHECK (cached_input_picodollars_per_token >= 0),
    output_picodollars_per_token BIGINT NOT NULL CHECK (output_picodollars_per_token >= 0),
    recorded_ns BIGINT NOT NULL
);

CREATE TRIGGER price_versions_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON price_versions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('price versions are append-only');

-- ledger -----------------------------------------------------------------------------------------------------------

CREATE TABLE ledger_accounts (
    name TEXT PRIMARY KEY,
    opened_ns BIGINT NOT NULL
);

-- The sequence is the order of posting.
CREATE TABLE transfers (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL,
    debit_account TEXT NOT NULL REFERENCES ledger_accounts (name),
    credit_account TEXT NOT NULL REFERENCES ledger_accounts (name),
    nanodollars BIGINT NOT NULL CHECK (nanodollars >= 0),
    kind TEXT NOT NULL CHECK (kind IN ('usage', 'reversal')),
    created_ns BIGINT NOT NULL,
    reverses TEXT,
    CHECK (debit_account <> credit_account),
    CHECK ((kind = 'reversal') = (reverses IS NOT NULL))
);

CREATE UNIQUE INDEX transfers_by_id ON transfers (id);
CREATE UNIQUE INDEX transfers_by_reversed ON transfers (reverses) WHERE reverses IS NOT NULL;
ALTER TABLE transfers ADD FOREIGN KEY (reverses) REFERENCES transfers (id);

CREATE TRIGGER transfers_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('transfers are append-only; a correction is a reversal');

-- A projection of the transfers: debits less credits. It can be rebuilt at any time.
CREATE TABLE balances (
    ledger_account TEXT PRIMARY KEY REFERENCES ledger_accounts (name),
    nanodollars BIGINT NOT NULL
);

-- metering ---------------------------------------------------------------------------------------------------------

CREATE TABLE usage_records (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id TEXT NOT NULL,
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    price_id TEXT NOT NULL REFERENCES price_versions (price_id),
    prompt_tokens BIGINT NOT NULL CHECK (prompt_tokens >= 0),
    cached_prompt_tokens BIGINT NOT NULL CHECK (cached_prompt_tokens BETWEEN 0 AND prompt_tokens),
    generated_tokens BIGINT NOT NULL CHECK (generated_tokens >= 0),
    reasoning_tokens BIGINT NOT NULL CHECK (reasoning_tokens BETWEEN 0 AND generated_tokens),
    estimated BOOLEAN NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('completed', 'client_gone', 'engine_broke')),
    started_ns BIGINT NOT NULL,
    finished_ns BIGINT NOT NULL,
    replica TEXT NOT NULL,
    queue_wait_us BIGINT NOT NULL,
    time_to_first_token_us BIGINT,
    cost_labels TEXT NOT NULL,
    charge_nanodollars BIGINT NOT NULL CHECK (charge_nanodollars >= 0)
);

CREATE UNIQUE INDEX usage_records_by_request ON usage_records (request_id);
CREATE INDEX usage_records_by_time ON usage_records (finished_ns);

CREATE TRIGGER usage_records_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_records
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('usage records are append-only');

-- The journal of requests that an engine works on: a row that outlives its platform is a request that was cut.
CREATE TABLE open_requests (
    request_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    replica TEXT NOT NULL,
    opened_ns BIGINT NOT NULL
);
