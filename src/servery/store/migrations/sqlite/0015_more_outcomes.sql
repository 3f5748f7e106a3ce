-- ``outcome`` is an open set here: the code that posts knows it. A table's checks cannot be altered, so it is made anew.
DROP VIEW transfers;
CREATE TABLE new_usage_records (
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
    outcome TEXT NOT NULL,
    started_ns INTEGER NOT NULL,
    finished_ns INTEGER NOT NULL,
    replica TEXT NOT NULL,
    queue_wait_us INTEGER NOT NULL,
    time_to_first_token_us INTEGER,
    cost_labels TEXT NOT NULL,
    charge_nanodollars INTEGER NOT NULL CHECK (charge_nanodollars >= 0),
    asked_path TEXT,
    predicted_cached_prompt_tokens INTEGER,
    hedge TEXT
) STRICT;
INSERT INTO new_usage_records
SELECT sequence, request_id, account, key_id, model, serving_path, price_id, prompt_tokens, cached_prompt_tokens,
       generated_tokens, reasoning_tokens, estimated, outcome, started_ns, finished_ns, replica, queue_wait_us,
       time_to_first_token_us, cost_labels, charge_nanodollars, asked_path, predicted_cached_prompt_tokens, hedge
FROM usage_records;
DROP TABLE usage_records;
ALTER TABLE new_usage_records RENAME TO usage_records;

CREATE UNIQUE INDEX usage_records_by_request ON usage_records (request_id);
CREATE INDEX usage_records_by_account ON usage_records (account, finished_ns);

CREATE TRIGGER usage_records_are_never_changed BEFORE UPDATE ON usage_records
BEGIN
    SELECT RAISE(ABORT, 'usage records are append-only');
END;

CREATE TRIGGER usage_records_are_never_deleted BEFORE DELETE ON usage_records
BEGIN
    SELECT RAISE(ABORT, 'usage records are append-only');
END;

CREATE TRIGGER usage_records_move_balances AFTER INSERT ON usage_records
BEGIN
    INSERT INTO balances (ledger_account, nanodollars, opened_ns)
    VALUES ('accounts/' || NEW.account, NEW.charge_nanodollars, NEW.finished_ns),
           ('revenue/' || NEW.model || '/' || NEW.serving_path, -NEW.charge_nanodollars, NEW.finished_ns)
    ON CONFLICT (ledger_account) DO UPDATE SET nanodollars = balances.nanodollars + excluded.nanodollars;
END;

CREATE VIEW transfers (id, debit_account, credit_account, nanodollars, kind, created_ns, reverses) AS
SELECT request_id, 'accounts/' || account, 'revenue/' || model || '/' || serving_path, charge_nanodollars, 'usage',
       finished_ns, NULL
FROM usage_records
UNION ALL
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage;
