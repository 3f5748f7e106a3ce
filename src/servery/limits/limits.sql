-- name: save_adaptive_limits
-- Write down how limits have adapted.
INSERT INTO adaptive_limits (account, model, state, saved_ns)
VALUES (?, ?, ?, ?)
ON CONFLICT (account, model) DO UPDATE SET state = excluded.state, saved_ns = excluded.saved_ns;
-- postgresql:
INSERT INTO adaptive_limits (account, model, state, saved_ns)
SELECT r ->> 0, r ->> 1, r ->> 2, (r ->> 3)::bigint
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r
ON CONFLICT (account, model) DO UPDATE SET state = excluded.state, saved_ns = excluded.saved_ns;

-- name: adaptive_limits
-- The states saved since a moment, those saved last first.
SELECT account, model, state FROM adaptive_limits WHERE saved_ns >= :since_ns ORDER BY saved_ns DESC LIMIT :most;

-- name: adaptive_limits_of_account
-- One account's states.
SELECT model, state FROM adaptive_limits WHERE account = :account;

-- name: forget_adaptive_limits
-- States so old that they would be reset.
DELETE FROM adaptive_limits WHERE saved_ns < :before_ns;

-- name: record_limit_change
-- Note which limits are enforced from a moment on.
INSERT INTO limit_changes (account, model, changed_ns, prompt, uncached_prompt, generated)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (account, model, changed_ns) DO NOTHING;
-- postgresql:
INSERT INTO limit_changes (account, model, changed_ns, prompt, uncached_prompt, generated)
SELECT r ->> 0, r ->> 1, (r ->> 2)::bigint, (r ->> 3)::bigint, (r ->> 4)::bigint, (r ->> 5)::bigint
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS r
ON CONFLICT (account, model, changed_ns) DO NOTHING;

-- name: limit_changes
-- One account's changes up to a moment, by model and time.
SELECT model, changed_ns, prompt, uncached_prompt, generated FROM limit_changes
WHERE account = :account AND changed_ns < :until_ns ORDER BY model, changed_ns;

-- name: forget_limit_changes
-- Changes before a moment, but for the last of each: it is what holds at that moment.
DELETE FROM limit_changes WHERE changed_ns < :before_ns AND EXISTS (
    SELECT 1 FROM limit_changes AS later
    WHERE later.account = limit_changes.account AND later.model = limit_changes.model
      AND later.changed_ns > limit_changes.changed_ns AND later.changed_ns < :before_ns
);

-- name: set_custom_limits
-- Fix limits of an account for a model.
INSERT INTO custom_limits (account, model, prompt, uncached_prompt, generated, set_ns)
VALUES (:account, :model, :prompt, :uncached_prompt, :generated, :set_ns)
ON CONFLICT (account, model) DO UPDATE
SET prompt = excluded.prompt, uncached_prompt = excluded.uncached_prompt, generated = excluded.generated,
    set_ns = excluded.set_ns;

-- name: clear_custom_limits
-- Let them adapt again.
DELETE FROM custom_limits WHERE account = :account AND model = :model;

-- name: custom_limits
-- All that is fixed.
SELECT account, model, prompt, uncached_prompt, generated FROM custom_limits ORDER BY account, model;
