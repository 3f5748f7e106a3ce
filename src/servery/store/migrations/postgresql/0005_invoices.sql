-- Prices that change, GPU time, usage in sums, and invoices. Amounts are nano-dollars unless a name says otherwise, times
-- nanoseconds since the Unix epoch, hours hours since then; a month is 12 x year + month - 1.

-- metering ---------------------------------------------------------------------------------------------------------

ALTER TABLE usage_records ADD COLUMN asked_path TEXT;
ALTER TABLE usage_records ADD COLUMN predicted_cached_prompt_tokens BIGINT;

-- What usage is summed by.
CREATE TABLE usage_series (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT NOT NULL,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    price_id TEXT NOT NULL REFERENCES price_versions (price_id),
    key_id TEXT NOT NULL,
    cost_labels TEXT NOT NULL
);

CREATE UNIQUE INDEX usage_series_by_facts
ON usage_series (account, model, serving_path, price_id, key_id, cost_labels);

-- A projection of the usage records up to the mark 'usage'. It can be rebuilt, but for the months, which follow from
-- when each of them was closed.
CREATE TABLE usage_rollups (
    series BIGINT NOT NULL REFERENCES usage_series (id),
    billing_month BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    cached_prompt_tokens BIGINT NOT NULL,
    generated_tokens BIGINT NOT NULL,
    nanodollars BIGINT NOT NULL,
    PRIMARY KEY (series, billing_month, hour)
);

-- How far the background has come: the last usage record that is in the sums, the last transfer that has its month.
CREATE TABLE watermarks (
    name TEXT PRIMARY KEY,
    sequence BIGINT NOT NULL
);

INSERT INTO watermarks (name, sequence) VALUES ('usage', 0), ('transfers', 0);

-- billing ----------------------------------------------------------------------------------------------------------

CREATE TABLE price_changes (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    price_id TEXT NOT NULL REFERENCES price_versions (price_id),
    from_ns BIGINT NOT NULL,
    recorded_ns BIGINT NOT NULL,
    CHECK (from_ns >= recorded_ns)
);

CREATE TRIGGER price_changes_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON price_changes
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('price changes are append-only');

CREATE TABLE gpu_price_versions (
    price_id TEXT PRIMARY KEY,
    accelerator_type TEXT NOT NULL,
    microdollars_per_hour BIGINT NOT NULL CHECK (microdollars_per_hour >= 0),
    recorded_ns BIGINT NOT NULL
);

CREATE TRIGGER gpu_price_versions_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON gpu_price_versions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('price versions are append-only');

-- Seconds are those of the run since its start.
CREATE TABLE gpu_usage_records (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    posting_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    account TEXT NOT NULL,
    deployment TEXT NOT NULL,
    accelerator_type TEXT NOT NULL,
    accelerators BIGINT NOT NULL CHECK (accelerators >= 1),
    run_started_ns BIGINT NOT NULL,
    from_s BIGINT NOT NULL CHECK (from_s >= 0),
    until_s BIGINT NOT NULL,
    price_id TEXT NOT NULL REFERENCES gpu_price_versions (price_id),
    charge_nanodollars BIGINT NOT NULL CHECK (charge_nanodollars >= 0),
    CHECK (until_s > from_s)
);

CREATE UNIQUE INDEX gpu_usage_records_by_posting ON gpu_usage_records (posting_id);
CREATE INDEX gpu_usage_records_by_run ON gpu_usage_records (run_id, until_s);
CREATE INDEX gpu_usage_records_by_account ON gpu_usage_records (account, run_started_ns);

CREATE TRIGGER gpu_usage_records_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON gpu_usage_records
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('usage records are append-only');

-- The month in which a transfer that is no serverless usage is shown to an account.
CREATE TABLE billed_transfers (
    transfer_id TEXT NOT NULL REFERENCES transfers_besides_usage (id),
    account TEXT NOT NULL,
    billing_month BIGINT NOT NULL,
    PRIMARY KEY (transfer_id, account)
);

CREATE INDEX billed_transfers_by_month ON billed_transfers (account, billing_month);

-- Of transfers that come with every few charges, the sums alone.
CREATE TABLE billed_sums (
    account TEXT NOT NULL,
    billing_month BIGINT NOT NULL,
    kind TEXT NOT NULL,
    nanodollars BIGINT NOT NULL,
    PRIMARY KEY (account, billing_month, kind)
);

-- Months whose invoices are final, and how far the books had come when they were closed.
CREATE TABLE closed_months (
    month BIGINT PRIMARY KEY,
    closed_ns BIGINT NOT NULL,
    usage_sequence BIGINT NOT NULL,
    transfer_sequence BIGINT NOT NULL
);

CREATE TRIGGER closed_months_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON closed_months
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('a closed month stays closed');

CREATE TABLE invoices (
    number BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    month BIGINT NOT NULL REFERENCES closed_months (month),
    issued_ns BIGINT NOT NULL,
    total_nanodollars BIGINT NOT NULL
);

CREATE UNIQUE INDEX invoices_by_account ON invoices (account, month);

CREATE TRIGGER invoices_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON invoices
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('an invoice is final; a correction goes into the next month');

-- The amount of a line is quantity x unit_picodollars where there is a unit price, else nanodollars.
CREATE TABLE invoice_lines (
    invoice BIGINT NOT NULL REFERENCES invoices (number),
    position BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    serving_path TEXT,
    token_kind TEXT,
    price_id TEXT,
    quantity BIGINT NOT NULL,
    unit_picodollars BIGINT,
    nanodollars BIGINT,
    CHECK ((unit_picodollars IS NULL) <> (nanodollars IS NULL)),
    PRIMARY KEY (invoice, position)
);

CREATE TRIGGER invoice_lines_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON invoice_lines
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('an invoice is final; a correction goes into the next month');
