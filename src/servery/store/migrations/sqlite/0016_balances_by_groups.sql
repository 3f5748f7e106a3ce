-- SQLite's triggers run once a row, and this one cost more than the row. Whoever posts usage records moves the balances
-- in the same transaction, by the sums of what it posts, and the mark with them: what lies past it, the next one moves.
DROP TRIGGER usage_records_move_balances;
INSERT INTO watermarks (name, sequence) SELECT 'balances', coalesce(max(sequence), 0) FROM usage_records;
