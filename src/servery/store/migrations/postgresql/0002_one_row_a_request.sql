-- A usage record is the transfer of its charge: one row for each request, not two. The table of transfers keeps the
-- others. Balances follow by triggers, so that nothing can be posted past them.
-- (No database on PostgreSQL is older than this step: there is nothing to carry over.)

DROP TABLE balances, transfers, ledger_accounts, usage_records, open_requests;

CREATE TABLE balances (
    ledger_account TEXT PRIMARY KEY,
    nanodollars BIGINT NOT NULL,
    opened_ns BIGINT NOT NULL
) WITH (fillfactor = 50);

-- ``kind`` is an open set here: the code that posts knows it.
CREATE TABLE transfers_besides_usage (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL,
    debit_account TEXT NOT NULL,
    credit_account TEXT NOT NULL,
    nanodollars BIGINT NOT NULL CHECK (nanodollars >= 0),
    kind TEXT NOT NULL CHECK (kind <> 'usage'),
    created_ns BIGINT NOT NULL,
    reverses TEXT,
    CHECK (debit_account <> credit_account),
    CHECK ((kind = 'reversal') = (reverses IS NOT NULL))
);

CREATE UNIQUE INDEX transfers_besides_usage_by_id ON transfers_besides_usage (id);
CREATE UNIQUE INDEX transfers_besides_usage_by_reversed ON transfers_besides_usage (reverses)
WHERE reverses IS NOT NULL;

CREATE TRIGGER transfers_besides_usage_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers_besides_usage
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('transfers are append-only; a correction is a reversal');

-- Gateways move the same balances. All of them take the rows in the order of their names, so that they wait for each
-- other in a line and never in a circle.
CREATE FUNCTION transfers_move_balances() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO balances (ledger_account, nanodollars, opened_ns)
    SELECT ledger_account, sum(nanodollars), min(created_ns)
    FROM (
        SELECT debit_account AS ledger_account, nanodollars, created_ns FROM added
        UNION ALL
        SELECT credit_account, -nanodollars, created_ns FROM added
    ) AS entries
    GROUP BY ledger_account
    ORDER BY ledger_account
    ON CONFLICT (ledger_account) DO UPDATE SET nanodollars = balances.nanodollars + excluded.nanodollars;
    RETURN NULL;
END
$$;

CREATE TRIGGER transfers_besides_usage_move_balances AFTER INSERT ON transfers_besides_usage
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION transfers_move_balances();

-- The price version is checked by the trigger below, once for all rows of a statement: a foreign key would look it up
-- for each row, and lock it.
CREATE TABLE usage_records (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY,
    request_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    price_id TEXT NOT NULL,
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

-- Records are posted in about the order in which requests finish: the summary of each range of pages is enough.
CREATE INDEX usage_records_by_time ON usage_records USING brin (finished_ns) WITH (pages_per_range = 32);

CREATE TRIGGER usage_records_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_records
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('usage records are append-only');

CREATE FUNCTION usage_moves_balances() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT price_id FROM added) AS used
        WHERE NOT EXISTS (SELECT FROM price_versions WHERE price_versions.price_id = used.price_id)
    ) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a usage record names a price version that does not exist';
    END IF;
    INSERT INTO balances (ledger_account, nanodollars, opened_ns)
    SELECT ledger_account, sum(nanodollars), min(finished_ns)
    FROM (
        SELECT 'accounts/' || account AS ledger_account, charge_nanodollars AS nanodollars, finished_ns FROM added
        UNION ALL
        SELECT 'revenue/' || model || '/' || serving_path, -charge_nanodollars, finished_ns FROM added
    ) AS entries
    GROUP BY ledger_account
    ORDER BY ledger_account
    ON CONFLICT (ledger_account) DO UPDATE SET nanodollars = balances.nanodollars + excluded.nanodollars;
    RETURN NULL;
END
$$;

CREATE TRIGGER usage_records_move_balances AFTER INSERT ON usage_records
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION usage_moves_balances();

-- Everything that moved money, whichever table it stands in.
CREATE VIEW transfers (id, debit_account, credit_account, nanodollars, kind, created_ns, reverses) AS
SELECT request_id, 'accounts/' || account, 'revenue/' || model || '/' || serving_path, charge_nanodollars,
       CAST('usage' AS TEXT), finished_ns, CAST(NULL AS TEXT)
FROM usage_records
UNION ALL
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage;

-- Requests that an engine worked on when their platform ended. They cost nothing. ``found_ns``: when the next start
-- found them.
CREATE TABLE cut_requests (
    request_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    replica TEXT NOT NULL,
    opened_ns BIGINT NOT NULL,
    found_ns BIGINT NOT NULL,
    acknowledged_ns BIGINT
);

-- The last transaction of each gateway that may be writing: whether a COMMIT was carried out whose answer was lost.
CREATE TABLE writers (
    writer TEXT PRIMARY KEY,
    last_commit BIGINT NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Whoever listens hears of changes to accounts, keys and prices at once.
CREATE FUNCTION tell_configuration_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('servery_configuration', NEW.revision::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER configuration_revision_is_told AFTER UPDATE ON configuration_revision
FOR EACH ROW EXECUTE FUNCTION tell_configuration_changed();
