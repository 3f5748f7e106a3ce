-- name: add_spending
-- Carry what moved money over to the month's sums.
INSERT INTO spending_months (
    account, month, writer, charged_nanodollars, credit_used_nanodollars, credit_added_nanodollars, reversed_nanodollars
)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account, month, writer) DO UPDATE
SET charged_nanodollars = spending_months.charged_nanodollars + excluded.charged_nanodollars,
    credit_used_nanodollars = spending_months.credit_used_nanodollars + excluded.credit_used_nanodollars,
    credit_added_nanodollars = spending_months.credit_added_nanodollars + excluded.credit_added_nanodollars,
    reversed_nanodollars = spending_months.reversed_nanodollars + excluded.reversed_nanodollars;
-- postgresql:
INSERT INTO spending_months (
    account, month, writer, charged_nanodollars, credit_used_nanodollars, credit_added_nanodollars, reversed_nanodollars
)
SELECT r ->> 0, (r ->> 1)::integer, r ->> 2, (r ->> 3)::bigint, (r ->> 4)::bigint, (r ->> 5)::bigint, (r ->> 6)::bigint
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r
ON CONFLICT (account, month, writer) DO UPDATE
SET charged_nanodollars = spending_months.charged_nanodollars + excluded.charged_nanodollars,
    credit_used_nanodollars = spending_months.credit_used_nanodollars + excluded.credit_used_nanodollars,
    credit_added_nanodollars = spending_months.credit_added_nanodollars + excluded.credit_added_nanodollars,
    reversed_nanodollars = spending_months.reversed_nanodollars + excluded.reversed_nanodollars;

-- name: credits_left
-- Of a JSON array of ledger accounts of credits, those with something left; nobody else uses it meanwhile.
SELECT ledger_account, -nanodollars
FROM balances
WHERE ledger_account IN (SELECT value FROM json_each(:names)) AND nanodollars < 0;
-- postgresql:
SELECT ledger_account, -nanodollars
FROM balances
WHERE ledger_account IN (SELECT json_array_elements_text(CAST(:names AS json))) AND nanodollars < 0
ORDER BY ledger_account
FOR UPDATE;

-- name: standings
-- What is known of the money of a JSON array of accounts.
SELECT accounts.id, accounts.spend_tier, accounts.prepaid, accounts.spend_limit_dollars, accounts.spend_thresholds,
       coalesce((SELECT -nanodollars FROM balances WHERE ledger_account = 'credits/' || accounts.id), 0),
       coalesce(sum(CASE WHEN month = :month THEN charged_nanodollars END), 0),
       coalesce(sum(CASE WHEN month = :month AND writer = :writer THEN charged_nanodollars END), 0),
       coalesce(sum(CASE WHEN month = :month THEN credit_used_nanodollars END), 0),
       coalesce(sum(CASE WHEN month = :month THEN reversed_nanodollars END), 0),
       coalesce(sum(charged_nanodollars - reversed_nanodollars - credit_used_nanodollars + credit_added_nanodollars), 0),
       coalesce((
           SELECT sum(CASE WHEN lease.level_nanodollars > coalesce(posted.charged_nanodollars, 0)
                           THEN lease.level_nanodollars - coalesce(posted.charged_nanodollars, 0) ELSE 0 END)
           FROM money_leases AS lease
           LEFT JOIN spending_months AS posted
               ON posted.account = lease.account AND posted.month = lease.month AND posted.writer = lease.writer
           WHERE lease.account = accounts.id AND lease.writer <> :writer AND lease.expires_ns > :now_ns
       ), 0)
FROM accounts
LEFT JOIN spending_months ON spending_months.account = accounts.id
WHERE accounts.id IN (SELECT value FROM json_each(:accounts))
GROUP BY accounts.id, accounts.spend_tier, accounts.prepaid, accounts.spend_limit_dollars, accounts.spend_thresholds;
