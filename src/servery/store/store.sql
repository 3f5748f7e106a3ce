-- name: configuration_revision
-- The number of changes made so far to accounts and keys.
SELECT revision FROM configuration_revision;

-- name: hold_configuration
-- Who changes accounts, users and keys takes turns until the transaction's end: SQLite's writers do so as it is.
SELECT 1;
-- postgresql:
SELECT revision FROM configuration_revision FOR UPDATE;

-- name: bump_configuration_revision
-- Count one more change to accounts or keys.
UPDATE configuration_revision SET revision = revision + 1;

-- name: write_configuration_again
-- A write that changes nothing, to prove that there can be one.
UPDATE configuration_revision SET revision = revision;
