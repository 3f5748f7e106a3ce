-- What accounts spend in each month: a projection of the books, kept in the transactions that move the money. Each
-- process that posts has rows of its own (``writer``), so that none waits for another's; '' is the operator's.

CREATE TABLE spending_months (
    account TEXT NOT NULL,
    month BIGINT NOT NULL, -- 12 x year + month - 1, of UTC
    writer TEXT NOT NULL,
    charged_nanodollars BIGINT NOT NULL,
    credit_used_nanodollars BIGINT NOT NULL,
    credit_added_nanodollars BIGINT NOT NULL,
    reversed_nanodollars BIGINT NOT NULL,
    PRIMARY KEY (account, month, writer)
);

INSERT INTO spending_months
SELECT account,
       12 * CAST(extract(year FROM to_timestamp(finished_ns / 1000000000) AT TIME ZONE 'UTC') AS BIGINT)
           + CAST(extract(month FROM to_timestamp(finished_ns / 1000000000) AT TIME ZONE 'UTC') AS BIGINT) - 1,
       '', sum(charge_nanodollars), 0, 0, 0
FROM usage_records
GROUP BY 1, 2;

CREATE TABLE credit_codes (
    code_sha256 BYTEA PRIMARY KEY CHECK (length(code_sha256) = 32),
    id TEXT NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    description TEXT NOT NULL,
    nanodollars BIGINT NOT NULL CHECK (nanodollars > 0),
    redemptions_max BIGINT NOT NULL CHECK (redemptions_max > 0),
    redemptions BIGINT NOT NULL CHECK (redemptions BETWEEN 0 AND redemptions_max),
    expires_ns BIGINT,
    created_ns BIGINT NOT NULL,
    disabled_ns BIGINT
);

-- One row for each credit that an account was given: ``id`` is its transfer's.
CREATE TABLE credit_redemptions (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    code_id TEXT REFERENCES credit_codes (id),
    nanodollars BIGINT NOT NULL CHECK (nanodollars > 0),
    description TEXT NOT NULL,
    created_ns BIGINT NOT NULL,
    UNIQUE (account, code_id)
);
