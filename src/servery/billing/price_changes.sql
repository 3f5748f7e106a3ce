-- name: insert_price_change
-- Keep a price that is in force from some moment on, and return its number.
INSERT INTO price_changes (price_id, from_ns, recorded_ns, seal) VALUES (:price_id, :from_ns, :recorded_ns, :seal)
RETURNING sequence;

-- name: last_seal
-- The seal of the last price change, or no row.
SELECT seal FROM price_changes ORDER BY sequence DESC LIMIT 1;

-- name: price_changes
-- All price changes in the order in which they were added.
SELECT price_changes.from_ns, price_changes.recorded_ns, price_versions.price_id, price_versions.model,
       price_versions.serving_path, price_versions.input_picodollars_per_token,
       price_versions.cached_input_picodollars_per_token, price_versions.output_picodollars_per_token,
       price_versions.recorded_ns
FROM price_changes
JOIN price_versions ON price_versions.price_id = price_changes.price_id
ORDER BY price_changes.sequence;
