-- name: last_invoice_number
-- The number that was given last; 0 before the first.
SELECT coalesce(max(number), 0) FROM invoices;

-- name: insert_invoice
-- Keep a final invoice.
INSERT INTO invoices (number, account, month, issued_ns, total_nanodollars)
VALUES (:number, :account, :month, :issued_ns, :total_nanodollars);

-- name: insert_invoice_line
-- Keep a line of a final invoice.
INSERT INTO invoice_lines (
    invoice, position, kind, subject, detail, serving_path, token_kind, price_id, quantity, unit_picodollars,
    nanodollars
)
VALUES (
    :invoice, :position, :kind, :subject, :detail, :serving_path, :token_kind, :price_id, :quantity,
    :unit_picodollars, :nanodollars
);

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
