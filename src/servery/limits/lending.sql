-- name: database_now
-- The time of the database, in nanoseconds: gateways' own clocks may differ. A file has the clock of its machine.
SELECT :now_ns;
-- postgresql:
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) * 1000 + 0 * CAST(:now_ns AS BIGINT);

-- name: shared_limits
-- One account's common buckets for a model, kept from others until the transaction's end.
SELECT state FROM shared_limits WHERE account = :account AND model = :model;
-- postgresql:
SELECT state FROM shared_limits WHERE account = :account AND model = :model FOR UPDATE;

-- name: open_shared_limits
-- Make them, unless another gateway has.
INSERT INTO shared_limits (account, model, state) VALUES (:account, :model, '') ON CONFLICT (account, model) DO NOTHING;

-- name: save_shared_limits
-- Write down what is left in them.
UPDATE shared_limits SET state = :state WHERE account = :account AND model = :model;

-- name: recorded_limits
-- How limits had adapted when they were written down last.
SELECT state FROM adaptive_limits WHERE account = :account AND model = :model;
