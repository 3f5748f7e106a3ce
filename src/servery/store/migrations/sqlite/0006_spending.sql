-- What accounts spend in each month: a projection of the books, kept in the transactions that move the money. Each
-- process that posts has rows of its own (``writer``), so that none waits for another's; '' is the operator's.

CREATE TABLE spending_months (
    account TEXT NOT NULL,
    month INTEGER NOT NULL, -- 12 x year + month - 1, of UTC
    writer TEXT NOT NULL,
    charged_nanodollars INTEGER NOT NULL,
    credit_used_nanodollars INTEGER NOT NULL,
    credit_added_nanodollars INTEGER NOT NULL,
    reversed_nanodollars INTEGER NOT NULL,
    PRIMARY KEY (account, month, writer)
) STRICT, WITHOUT ROWID;

INSERT INTO spending_months
SELECT account,
       12 * CAST(strftime('%Y', finished_ns / 1000000000, 'unixepoch') AS INTEGER)
           + CAST(strftime('%m', finished_ns / 1000000000, 'unixepoch') AS INTEGER) - 1,
       '', sum(charge_nanodollars), 0, 0, 0
FROM usage_records
GROUP BY 1, 2;

CREATE TABLE credit_codes (
    code_sha256 BLOB PRIMARY KEY CHECK (length(code_sha256) = 32),
    id TEXT NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    description TEXT NOT NULL,
    nanodollars INTEGER NOT NULL CHECK (nanodollars > 0),
    redemptions_max INTEGER NOT NULL CHECK (redemptions_max > 0),
    redemptions INTEGER NOT NULL CHECK (redemptions BETWEEN 0 AND redemptions_max),
    expires_ns INTEGER,
    created_ns INTEGER NOT NULL,
    disabled_ns INTEGER
) STRICT;

-- One row for each credit that an account was given: ``id`` is its transfer's.
CREATE TABLE credit_redemptions (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    code_id TEXT REFERENCES credit_codes (id),
    nanodollars INTEGER NOT NULL CHECK (nanodollars > 0),
    description TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    UNIQUE (account, code_id)
) STRICT;
