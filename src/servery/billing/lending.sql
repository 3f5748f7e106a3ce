-- name: database_now
-- The time of the database, in nanoseconds: gateways' own clocks may differ. A file has the clock of its machine.
SELECT :now_ns;
-- postgresql:
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) * 1000 + 0 * CAST(:now_ns AS BIGINT);

-- name: hold_accounts
-- Nobody else lends of a JSON array of accounts until the transaction's end. SQLite's writers take turns as it is.
SELECT value FROM json_each(:accounts);
-- postgresql:
SELECT pg_advisory_xact_lock(hashtextextended('money/' || account, 0))
FROM (SELECT json_array_elements_text(CAST(:accounts AS json)) AS account) AS chosen;

-- name: save_lease
-- How much a process may charge an account in a month, and until when that is kept for it.
INSERT INTO money_leases (account, writer, month, level_nanodollars, expires_ns)
VALUES (:account, :writer, :month, :level, :expires_ns)
ON CONFLICT (account, writer) DO UPDATE
SET month = excluded.month, level_nanodollars = excluded.level_nanodollars, expires_ns = excluded.expires_ns;

-- name: give_back_leases
-- What was lent to a JSON array of processes, or has expired, is lent no more.
DELETE FROM money_leases
WHERE writer IN (SELECT value FROM json_each(:writers)) OR expires_ns <= :now_ns;
