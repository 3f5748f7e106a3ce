-- name: fold_old_months
-- One row for all processes together, of each account and month before one.
INSERT INTO spending_months
SELECT account, month, '', sum(charged_nanodollars), sum(credit_used_nanodollars), sum(credit_added_nanodollars),
       sum(reversed_nanodollars)
FROM spending_months
WHERE month < :before AND writer <> ''
GROUP BY account, month
ON CONFLICT (account, month, writer) DO UPDATE
SET charged_nanodollars = spending_months.charged_nanodollars + excluded.charged_nanodollars,
    credit_used_nanodollars = spending_months.credit_used_nanodollars + excluded.credit_used_nanodollars,
    credit_added_nanodollars = spending_months.credit_added_nanodollars + excluded.credit_added_nanodollars,
    reversed_nanodollars = spending_months.reversed_nanodollars + excluded.reversed_nanodollars;
-- postgresql:
WITH gone AS (DELETE FROM spending_months WHERE month < :before AND writer <> '' RETURNING *)
INSERT INTO spending_months
SELECT account, month, '', sum(charged_nanodollars), sum(credit_used_nanodollars), sum(credit_added_nanodollars),
       sum(reversed_nanodollars)
FROM gone
GROUP BY account, month
ON CONFLICT (account, month, writer) DO UPDATE
SET charged_nanodollars = spending_months.charged_nanodollars + excluded.charged_nanodollars,
    credit_used_nanodollars = spending_months.credit_used_nanodollars + excluded.credit_used_nanodollars,
    credit_added_nanodollars = spending_months.credit_added_nanodollars + excluded.credit_added_nanodollars,
    reversed_nanodollars = spending_months.reversed_nanodollars + excluded.reversed_nanodollars;

-- name: forget_folded
-- The rows that were added up. (PostgreSQL has deleted them in the statement that did.)
DELETE FROM spending_months WHERE month < :before AND writer <> '';
-- postgresql:
SELECT 1;
