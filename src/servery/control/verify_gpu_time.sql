-- name: gpu_usage_records
-- All GPU time that was posted.
SELECT posting_id, run_id, account, deployment, accelerator_type, accelerators, run_started_ns, from_s, until_s,
       price_id, charge_nanodollars
FROM gpu_usage_records
ORDER BY sequence;

-- name: gpu_transfers
-- All transfers for GPU time.
SELECT id, debit_account, credit_account, nanodollars, kind, created_ns, reverses
FROM transfers_besides_usage
WHERE kind = 'gpu_time';
