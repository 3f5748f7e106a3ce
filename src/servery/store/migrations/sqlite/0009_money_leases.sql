-- How much each process of several may charge an account in a month, in all: what it has borrowed and not used is the
-- difference to what spending_months has of it. Kept for it until expires_ns.
CREATE TABLE money_leases (
    account TEXT NOT NULL,
    writer TEXT NOT NULL,
    month INTEGER NOT NULL, -- 12 x year + month - 1, of UTC
    level_nanodollars INTEGER NOT NULL,
    expires_ns INTEGER NOT NULL,
    PRIMARY KEY (account, writer)
) STRICT, WITHOUT ROWID;
