-- name: closed_months
-- All closed months, earliest first.
SELECT month, closed_ns, usage_sequence, transfer_sequence FROM closed_months ORDER BY month;

-- name: last_closed_month
-- The last month that was closed, or NULL.
SELECT max(month) FROM closed_months;

-- name: insert_closed_month
-- Close a month for good.
INSERT INTO closed_months (month, closed_ns, usage_sequence, transfer_sequence)
VALUES (:month, :closed_ns, :usage_sequence, :transfer_sequence);
