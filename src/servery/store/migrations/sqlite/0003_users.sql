-- Users, their keys, and what is known of an account's standing. Accounts that existed get a first user, an admin, to
-- whom their keys belong.

ALTER TABLE accounts ADD COLUMN suspend_state TEXT NOT NULL DEFAULT 'UNSUSPENDED' CHECK (
    suspend_state IN (
        'UNSUSPENDED', 'FAILED_PAYMENTS', 'CREDIT_DEPLETED', 'MONTHLY_SPEND_LIMIT_EXCEEDED', 'BLOCKED_BY_ABUSE_RULE'
    )
);
UPDATE accounts SET suspend_state = 'BLOCKED_BY_ABUSE_RULE' WHERE state = 'suspended';
ALTER TABLE accounts DROP COLUMN state;
ALTER TABLE accounts ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN tier_pinned INTEGER NOT NULL DEFAULT 0 CHECK (tier_pinned IN (0, 1));
ALTER TABLE accounts ADD COLUMN prepaid INTEGER NOT NULL DEFAULT 0 CHECK (prepaid IN (0, 1));
ALTER TABLE accounts ADD COLUMN funded INTEGER NOT NULL DEFAULT 1 CHECK (funded IN (0, 1));
-- Whole dollars that the account allows itself in a month; NULL: as much as its tier allows.
ALTER TABLE accounts ADD COLUMN spend_limit_dollars INTEGER CHECK (spend_limit_dollars >= 0);
ALTER TABLE accounts ADD COLUMN spend_limit_set_ns INTEGER NOT NULL DEFAULT 0;
-- A JSON array of nano-dollars at which the account wants to hear of its month's spending.
ALTER TABLE accounts ADD COLUMN spend_thresholds TEXT NOT NULL DEFAULT '[]';
-- The configuration revision of the last change to the account, its users or its keys.
ALTER TABLE accounts ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

CREATE INDEX accounts_by_revision ON accounts (revision);

-- Users are never deleted, only marked: usage records quote their keys.
CREATE TABLE users (
    account TEXT NOT NULL REFERENCES accounts (id),
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('admin', 'user', 'contributor', 'inference-user')),
    service_account INTEGER NOT NULL CHECK (service_account IN (0, 1)),
    created_ns INTEGER NOT NULL,
    deleted_ns INTEGER,
    PRIMARY KEY (account, id)
) STRICT;

INSERT INTO users (account, id, display_name, email, role, service_account, created_ns)
SELECT id, 'default', '', '', 'admin', 0, created_ns FROM accounts;

ALTER TABLE api_keys ADD COLUMN user_id TEXT NOT NULL DEFAULT 'default';
