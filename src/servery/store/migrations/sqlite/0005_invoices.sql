-- Prices that change, GPU time, usage in sums, and invoices. Amounts are nano-dollars unless a name says otherwise, times
-- nanoseconds since the Unix epoch, hours hours since then; a month is 12 x year + month - 1.

-- metering ---------------------------------------------------------------------------------------------------------

ALTER TABLE usage_records ADD COLUMN asked_path TEXT;
ALTER TABLE usage_records ADD COLUMN predicted_cached_prompt_tokens INTEGER;

-- What usage is summed by.
CREATE TABLE usage_series (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    model TEXT NOT NULL,
    serving_path TEXT NOT NULL,
    price_id TEXT NOT NULL REFERENCES price_versions (price_id),
    key_id TEXT NOT NULL,
    cost_labels TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX usage_series_by_facts
ON usage_series (account, model, serving_path, price_id, key_id, cost_labels);

-- A projection of the usage records up to the mark 'usage'. It can be rebuilt, but for the months, which follow from
-- when each of them was closed.
CREATE TABLE usage_rollups (
    series INTEGER NOT NULL REFERENCES usage_series (id),
    billing_month INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_prompt_tokens INTEGER NOT NULL,
    generated_tokens INTEGER NOT NULL,
    nanodollars INTEGER NOT NULL,
    PRIMARY KEY (series, billing_month, hour)
) STRICT, WITHOUT ROWID;

-- How far the background has come: the last usage record that is in the sums, the last transfer that has its month.
CREATE TABLE watermarks (
    name TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL
) STRICT;

INSERT INTO watermarks (name, sequence) VALUES ('usage', 0), ('transfers', 0);

-- billing ----------------------------------------------------------------------------------------------------------

CREATE TABLE price_changes (
    sequence INTEGER PRIMARY KEY,
    price_id TEXT NOT NULL REFERENCES price_versions (price_id),
    from_ns INTEGER NOT NULL,
    recorded_ns INTEGER NOT NULL,
    CHECK (from_ns >= recorded_ns)
) STRICT;

CREATE TRIGGER price_changes_are_never_changed BEFORE UPDATE ON price_changes
BEGIN
    SELECT RAISE(ABORT, 'price changes are append-only');
END;

CREATE TRIGGER price_changes_are_never_deleted BEFORE DELETE ON price_changes
BEGIN
    SELECT RAISE(ABORT, 'price changes are append-only');
END;

CREATE TABLE gpu_price_versions (
    price_id TEXT PRIMARY KEY,
    accelerator_type TEXT NOT NULL,
    microdollars_per_hour INTEGER NOT NULL CHECK (microdollars_per_hour >= 0),
    recorded_ns INTEGER NOT NULL
) STRICT;

CREATE TRIGGER gpu_price_versions_are_never_changed BEFORE UPDATE ON gpu_price_versions
BEGIN
    SELECT RAISE(ABORT, 'price versions are append-only');
END;

CREATE TRIGGER gpu_price_versions_are_never_deleted BEFORE DELETE ON gpu_price_versions
BEGIN
    SELECT RAISE(ABORT, 'price versions are append-only');
END;

-- Seconds are those of the run since its start.
CREATE TABLE gpu_usage_records (
    sequence INTEGER PRIMARY KEY,
    posting_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    account TEXT NOT NULL,
    deployment TEXT NOT NULL,
    accelerator_type TEXT NOT NULL,
    accelerators INTEGER NOT NULL CHECK (accelerators >= 1),
    run_started_ns INTEGER NOT NULL,
    from_s INTEGER NOT NULL CHECK (from_s >= 0),
    until_s INTEGER NOT NULL,
    price_id TEXT NOT NULL REFERENCES gpu_price_versions (price_id),
    charge_nanodollars INTEGER NOT NULL CHECK (charge_nanodollars >= 0),
    CHECK (until_s > from_s)
) STRICT;

CREATE UNIQUE INDEX gpu_usage_records_by_posting ON gpu_usage_records (posting_id);
CREATE INDEX gpu_usage_records_by_run ON gpu_usage_records (run_id, until_s);
CREATE INDEX gpu_usage_records_by_account ON gpu_usage_records (account, run_started_ns);

CREATE TRIGGER gpu_usage_records_are_never_changed BEFORE UPDATE ON gpu_usage_records
BEGIN
    SELECT RAISE(ABORT, 'usage records are append-only');
END;

CREATE TRIGGER gpu_usage_records_are_never_deleted BEFORE DELETE ON gpu_usage_records
BEGIN
    SELECT RAISE(ABORT, 'usage records are append-only');
END;

-- The month in which a transfer that is no serverless usage is shown to an account.
CREATE TABLE billed_transfers (
    transfer_id TEXT NOT NULL REFERENCES transfers_besides_usage (id),
    account TEXT NOT NULL,
    billing_month INTEGER NOT NULL,
    PRIMARY KEY (transfer_id, account)
) STRICT;

CREATE INDEX billed_transfers_by_month ON billed_transfers (account, billing_month);

-- Of transfers that come with every few charges, the sums alone.
CREATE TABLE billed_sums (
    account TEXT NOT NULL,
    billing_month INTEGER NOT NULL,
    kind TEXT NOT NULL,
    nanodollars INTEGER NOT NULL,
    PRIMARY KEY (account, billing_month, kind)
) STRICT, WITHOUT ROWID;

-- Months whose invoices are final, and how far the books had come when they were closed.
CREATE TABLE closed_months (
    month INTEGER PRIMARY KEY,
    closed_ns INTEGER NOT NULL,
    usage_sequence INTEGER NOT NULL,
    transfer_sequence INTEGER NOT NULL
) STRICT;

CREATE TRIGGER closed_months_are_never_changed BEFORE UPDATE ON closed_months
BEGIN
    SELECT RAISE(ABORT, 'a closed month stays closed');
END;

CREATE TRIGGER closed_months_are_never_deleted BEFORE DELETE ON closed_months
BEGIN
    SELECT RAISE(ABORT, 'a closed month stays closed');
END;

CREATE TABLE invoices (
    number INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    month INTEGER NOT NULL REFERENCES closed_months (month),
    issued_ns INTEGER NOT NULL,
    total_nanodollars INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX invoices_by_account ON invoices (account, month);

CREATE TRIGGER invoices_are_never_changed BEFORE UPDATE ON invoices
BEGIN
    SELECT RAISE(ABORT, 'an invoice is final; a correction goes into the next month');
END;

CREATE TRIGGER invoices_are_never_deleted BEFORE DELETE ON invoices
BEGIN
    SELECT RAISE(ABORT, 'an invoice is final; a correction goes into the next month');
END;

-- The amount of a line is quantity x unit_picodollars where there is a unit price, else nanodollars.
CREATE TABLE invoice_lines (
    invoice INTEGER NOT NULL REFERENCES invoices (number),
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    serving_path TEXT,
    token_kind TEXT,
    price_id TEXT,
    quantity INTEGER NOT NULL,
    unit_picodollars INTEGER,
    nanodollars INTEGER,
    CHECK ((unit_picodollars IS NULL) <> (nanodollars IS NULL)),
    PRIMARY KEY (invoice, position)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER invoice_lines_are_never_changed BEFORE UPDATE ON invoice_lines
BEGIN
    SELECT RAISE(ABORT, 'an invoice is final; a correction goes into the next month');
END;

CREATE TRIGGER invoice_lines_are_never_deleted BEFORE DELETE ON invoice_lines
BEGIN
    SELECT RAISE(ABORT, 'an invoice is final; a correction goes into the next month');
END;
