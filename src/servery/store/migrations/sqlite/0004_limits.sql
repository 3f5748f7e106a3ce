-- How an account's limits for a model have adapted, and what they follow from (JSON), as of ``saved_ns``.
CREATE TABLE adaptive_limits (
    account TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    saved_ns INTEGER NOT NULL,
    PRIMARY KEY (account, model)
) STRICT, WITHOUT ROWID;

-- The limits that were enforced from ``changed_ns`` on, in tokens per minute.
CREATE TABLE limit_changes (
    account TEXT NOT NULL,
    model TEXT NOT NULL,
    changed_ns INTEGER NOT NULL,
    prompt INTEGER NOT NULL,
    uncached_prompt INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    PRIMARY KEY (account, model, changed_ns)
) STRICT, WITHOUT ROWID;

-- What the operator has fixed; NULL adapts.
CREATE TABLE custom_limits (
    account TEXT NOT NULL REFERENCES accounts (id),
    model TEXT NOT NULL,
    prompt INTEGER,
    uncached_prompt INTEGER,
    generated INTEGER,
    set_ns INTEGER NOT NULL,
    PRIMARY KEY (account, model)
) STRICT, WITHOUT ROWID;
