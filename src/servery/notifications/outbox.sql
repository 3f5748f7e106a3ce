-- name: insert_event
-- Keep an event.
INSERT INTO outbox (id, account, kind, payload, created_ns) VALUES (:id, :account, :kind, :payload, :created_ns);

-- name: insert_delivery
-- Send an event on its way to one place.
INSERT INTO deliveries (id, event_id, webhook_id, email, state, attempts, created_ns, due_ns)
VALUES (:id, :event_id, :webhook_id, :email, 'pending', 0, :created_ns, :created_ns);

-- name: insert_notice
-- Note that an account is told something; nothing is inserted when it has been.
INSERT INTO notices (account, notice, told_ns) VALUES (:account, :notice, :told_ns)
ON CONFLICT (account, notice) DO NOTHING;

-- name: due_deliveries
-- The deliveries that are due, those that have waited longest first.
SELECT deliveries.id, deliveries.webhook_id, deliveries.email, deliveries.attempts, deliveries.created_ns,
       deliveries.due_ns, outbox.id, outbox.account, outbox.kind, outbox.payload, webhooks.url, webhooks.secret
FROM deliveries
JOIN outbox ON outbox.id = deliveries.event_id
LEFT JOIN webhooks ON webhooks.id = deliveries.webhook_id
WHERE deliveries.state = 'pending' AND deliveries.due_ns <= :now_ns
ORDER BY deliveries.due_ns
LIMIT :most;

-- name: claim_delivery
-- Take a delivery, unless somebody else was faster; the claim ends at its new due time.
UPDATE deliveries SET due_ns = :until_ns WHERE id = :id AND due_ns = :due_ns AND state = 'pending';

-- name: record_attempt
-- What came of an attempt, unless it is settled: its webhook was deleted meanwhile, or somebody else delivered it.
UPDATE deliveries
SET state = :state, attempts = attempts + 1, due_ns = :due_ns, last_attempt_ns = :attempted_ns, last_outcome = :outcome
WHERE id = :id AND state = 'pending';

-- name: deliveries_of_webhook
-- The deliveries to a webhook, newest first.
SELECT deliveries.id, deliveries.event_id, outbox.kind, deliveries.state, deliveries.attempts, deliveries.created_ns,
       deliveries.due_ns, deliveries.last_attempt_ns, deliveries.last_outcome
FROM deliveries
JOIN outbox ON outbox.id = deliveries.event_id
WHERE deliveries.webhook_id = :webhook_id
ORDER BY deliveries.created_ns DESC, deliveries.id
LIMIT :most;

-- name: forget_deliveries
-- Delete what was settled long ago.
DELETE FROM deliveries WHERE state <> 'pending' AND created_ns < :before_ns;

-- name: forget_events
-- Delete events that no delivery needs any more.
DELETE FROM outbox
WHERE created_ns < :before_ns AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = outbox.id);

-- name: insert_webhook
-- Add a webhook.
INSERT INTO webhooks (id, account, url, secret, kinds, created_ns)
VALUES (:id, :account, :url, :secret, :kinds, :created_ns);

-- name: webhooks_of_account
-- An account's webhooks, oldest first, without deleted ones.
SELECT id, account, url, kinds, created_ns, disabled_ns, disabled_reason
FROM webhooks
WHERE account = :account AND deleted_ns IS NULL
ORDER BY created_ns, id;

-- name: set_webhook_disabled
-- Disable a webhook for a reason, or (without a time) enable it again.
UPDATE webhooks SET disabled_ns = :disabled_ns, disabled_reason = :reason
WHERE id = :id AND account = :account AND deleted_ns IS NULL;

-- name: delete_webhook
-- The webhook is gone; what was sent to it stays known.
UPDATE webhooks SET deleted_ns = :deleted_ns WHERE id = :id AND account = :account AND deleted_ns IS NULL;

-- name: abandon_deliveries
-- Nothing more is sent to a webhook.
UPDATE deliveries SET state = 'failed', last_outcome = :reason WHERE webhook_id = :webhook_id AND state = 'pending';
