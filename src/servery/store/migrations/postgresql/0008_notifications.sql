-- What accounts are told, how it reaches them, and who has changed what.

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    kinds TEXT NOT NULL,
    created_ns BIGINT NOT NULL,
    deleted_ns BIGINT,
    disabled_ns BIGINT,
    disabled_reason TEXT NOT NULL DEFAULT ''
);

CREATE INDEX webhooks_by_account ON webhooks (account);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_ns BIGINT NOT NULL
);

CREATE INDEX outbox_by_time ON outbox (created_ns);

-- One event on its way to one place: a webhook, or (without one) an e-mail address.
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    event_id TEXT NOT NULL REFERENCES outbox (id),
    webhook_id TEXT REFERENCES webhooks (id),
    email TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts BIGINT NOT NULL,
    created_ns BIGINT NOT NULL,
    due_ns BIGINT NOT NULL,
    last_attempt_ns BIGINT,
    last_outcome TEXT NOT NULL DEFAULT '',
    CHECK ((webhook_id IS NULL) <> (email IS NULL))
);

CREATE INDEX deliveries_due ON deliveries (due_ns) WHERE state = 'pending';
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, created_ns);
CREATE INDEX deliveries_by_event ON deliveries (event_id);

-- What an account has been told already, so that nobody tells it twice.
CREATE TABLE notices (
    account TEXT NOT NULL,
    notice TEXT NOT NULL,
    told_ns BIGINT NOT NULL,
    PRIMARY KEY (account, notice)
);

-- The last that an account was told of its state.
CREATE TABLE told_states (
    account TEXT PRIMARY KEY,
    suspend_state TEXT NOT NULL,
    credit_state TEXT NOT NULL
);

-- Who changed what and when, through the control API or at the command line.
CREATE TABLE audit_logs (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    method TEXT NOT NULL,
    principal TEXT NOT NULL,
    resource TEXT NOT NULL,
    payload TEXT NOT NULL,
    status BIGINT NOT NULL,
    message TEXT NOT NULL,
    is_admin_action BOOLEAN NOT NULL,
    user_agent TEXT NOT NULL,
    client_ip TEXT NOT NULL,
    api_key_id TEXT NOT NULL,
    created_ns BIGINT NOT NULL
);

CREATE INDEX audit_logs_by_account ON audit_logs (account, sequence);

CREATE TRIGGER audit_logs_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs
FOR EACH STATEMENT EXECUTE FUNCTION refuse_as_append_only('the audit log is append-only');
