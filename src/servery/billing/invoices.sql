-- name: last_invoice_number
-- The number that was given last; 0 before the first.
SELECT coalesce(max(number), 0) FROM invoices;

-- name: insert_invoices
-- Keep final invoices.
INSERT INTO invoices (number, account, month, issued_ns, total_nanodollars)
VALUES (?, ?, ?, ?, ?);
-- postgresql:
INSERT INTO invoices (number, account, month, issued_ns, total_nanodollars)
SELECT (r ->> 0)::bigint, r ->> 1, (r ->> 2)::bigint, (r ->> 3)::bigint, (r ->> 4)::bigint
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r;

-- name: insert_invoice_lines
-- Keep lines of final invoices.
INSERT INTO invoice_lines (
    invoice, position, kind, subject, detail, serving_path, token_kind, price_id, quantity, unit_picodollars,
    nanodollars
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- postgresql:
INSERT INTO invoice_lines (
    invoice, position, kind, subject, detail, serving_path, token_kind, price_id, quantity, unit_picodollars,
    nanodollars
)
SELECT (r ->> 0)::bigint, (r ->> 1)::bigint, r ->> 2, r ->> 3, r ->> 4, r ->> 5, r ->> 6, r ->> 7,
       (r ->> 8)::bigint, (r ->> 9)::bigint, (r ->> 10)::bigint
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r;

-- name: invoices_of_account
-- An account's final invoices, latest month first.
SELECT number, account, month, issued_ns, total_nanodollars
FROM invoices
WHERE account = :account
ORDER BY month DESC;

-- name: all_invoices
-- All final invoices.
SELECT number, account, month, issued_ns, total_nanodollars FROM invoices ORDER BY number;

-- name: lines_of_invoice
-- The lines of an invoice in their order.
SELECT kind, subject, detail, serving_path, token_kind, price_id, quantity, unit_picodollars, nanodollars
FROM invoice_lines
WHERE invoice = :invoice
ORDER BY position;

-- name: accounts_to_issue
-- Accounts with something in a month and without an invoice of it.
SELECT account FROM (
    SELECT account FROM usage_series
    WHERE EXISTS (SELECT 1 FROM usage_rollups WHERE series = usage_series.id AND billing_month = :month)
    UNION
    SELECT account FROM billed_transfers WHERE billing_month = :month
    UNION
    SELECT account FROM billed_sums WHERE billing_month = :month
) AS active
WHERE NOT EXISTS (
    SELECT 1 FROM invoices WHERE invoices.account = active.account AND invoices.month = :month
)
ORDER BY account;
