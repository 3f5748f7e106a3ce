-- name: first_month
-- The earliest month with anything in it, or NULL.
SELECT min(billing_month) FROM (
    SELECT min(billing_month) AS billing_month FROM usage_rollups
    UNION ALL
    SELECT min(billing_month) FROM billed_transfers
    UNION ALL
    SELECT min(billing_month) FROM billed_sums
) AS months;

-- name: months_of_account
-- The months in which an account has anything.
SELECT DISTINCT billing_month
FROM usage_series
JOIN usage_rollups ON usage_rollups.series = usage_series.id
WHERE usage_series.account = :account
UNION
SELECT billing_month FROM billed_transfers WHERE account = :account
UNION
SELECT billing_month FROM billed_sums WHERE account = :account;
