-- The common buckets of limits that several gateways share: levels, and how the limits have adapted (JSON). Empty: not
-- used yet. ``model`` is empty for an account's requests.
CREATE TABLE shared_limits (
    account TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (account, model)
) STRICT, WITHOUT ROWID;
