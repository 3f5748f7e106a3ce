-- How an account's limits for a model have adapted, and what they follow from (JSON), as of ``saved_ns``.
CREATE TABLE adaptive_limits (
    account TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    saved_ns BIGINT NOT NULL,
    PRIMARY KEY (account, model)
);

-- The limits that were enforced from ``changed_ns`` on, in tokens per minute.
CREATE TABLE limit_changes (
    account TEXT NOT NULL,
    model TEXT NOT NULL,
    changed_ns BIGINT NOT NULL,
    prompt BIGINT NOT NULL,
    uncached_prompt BIGINT NOT NULL,
    generated BIGINT NOT NULL,
    PRIMARY KEY (account, model, changed_ns)
);

-- What the operator has fixed; NULL adapts.
CREATE TABLE custom_limits (
    account TEXT NOT NULL REFERENCES accounts (id),
    model TEXT NOT NULL,
    prompt BIGINT,
    uncached_prompt BIGINT,
    generated BIGINT,
    set_ns BIGINT NOT NULL,
    PRIMARY KEY (account, model)
);
