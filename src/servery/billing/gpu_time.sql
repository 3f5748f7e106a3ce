-- name: insert_gpu_price
-- Keep the price of an accelerator's hour as it was at some moment, unless the very same is kept already.
INSERT INTO gpu_price_versions (price_id, accelerator_type, microdollars_per_hour, recorded_ns)
VALUES (:price_id, :accelerator_type, :microdollars_per_hour, :recorded_ns)
ON CONFLICT (price_id) DO NOTHING;

-- name: gpu_prices
-- All prices of accelerators that ever were.
SELECT price_id, accelerator_type, microdollars_per_hour FROM gpu_price_versions ORDER BY recorded_ns, price_id;

-- name: insert_gpu_usage_record
-- Append an interval of a run with its charge.
INSERT INTO gpu_usage_records (
    posting_id, run_id, account, deployment, accelerator_type, accelerators, run_started_ns, from_s, until_s, price_id,
    charge_nanodollars
)
VALUES (
    :posting_id, :run_id, :account, :deployment, :accelerator_type, :accelerators, :run_started_ns, :from_s, :until_s,
    :price_id, :charge_nanodollars
);

-- name: gpu_usage_record_by_posting
-- The interval that was posted under an id, or no row.
SELECT posting_id, run_id, account, deployment, accelerator_type, accelerators, run_started_ns, from_s, until_s,
       price_id, charge_nanodollars
FROM gpu_usage_records
WHERE posting_id = :posting_id;

-- name: posted_seconds
-- How many seconds of a run have been posted.
SELECT coalesce(max(until_s), 0) FROM gpu_usage_records WHERE run_id = :run_id;

-- name: gpu_usage_in_period
-- The intervals of an account's runs that began in a period, in sums.
SELECT deployment, accelerator_type, price_id, sum((until_s - from_s) * accelerators), sum(charge_nanodollars)
FROM gpu_usage_records
WHERE account = :account AND run_started_ns < :until_ns
  AND run_started_ns + from_s * 1000000000 >= :since_ns AND run_started_ns + from_s * 1000000000 < :until_ns
GROUP BY deployment, accelerator_type, price_id
ORDER BY deployment, accelerator_type, price_id;

-- name: gpu_usage_by_day
-- The intervals of an account's runs that began in a period, in sums of each day.
SELECT (run_started_ns + from_s * 1000000000) / 86400000000000 AS day, accelerator_type,
       CAST(sum((until_s - from_s) * accelerators) AS BIGINT)
FROM gpu_usage_records
WHERE account = :account AND run_started_ns < :until_ns
  AND run_started_ns + from_s * 1000000000 >= :since_ns AND run_started_ns + from_s * 1000000000 < :until_ns
GROUP BY day, accelerator_type
ORDER BY day, accelerator_type;

-- name: gpu_usage_of_month
-- What an account is billed for in a month, by deployment and price.
SELECT gpu_usage_records.deployment, gpu_usage_records.accelerator_type, gpu_usage_records.price_id,
       sum((gpu_usage_records.until_s - gpu_usage_records.from_s) * gpu_usage_records.accelerators),
       sum(gpu_usage_records.charge_nanodollars)
FROM billed_transfers
JOIN gpu_usage_records ON gpu_usage_records.posting_id = billed_transfers.transfer_id
WHERE billed_transfers.account = :account AND billed_transfers.billing_month = :month
GROUP BY gpu_usage_records.deployment, gpu_usage_records.accelerator_type, gpu_usage_records.price_id
ORDER BY gpu_usage_records.deployment, gpu_usage_records.accelerator_type, gpu_usage_records.price_id;
