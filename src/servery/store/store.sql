-- name: configuration_revision
-- The number of changes made so far to accounts and keys.
SELECT revision FROM configuration_revision;

-- name: bump_configuration_revision
-- Count one more change to accounts or keys.
UPDATE configuration_revision SET revision = revision + 1;
