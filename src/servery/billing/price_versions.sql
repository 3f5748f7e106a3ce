-- name: insert_price_version
-- Keep a price as it was at some moment, unless the very same is kept already.
INSERT INTO price_versions (
    price_id, model, serving_path, input_picodollars_per_token, cached_input_picodollars_per_token,
    output_picodollars_per_token, recorded_ns
)
VALUES (
    :price_id, :model, :serving_path, :input_picodollars_per_token, :cached_input_picodollars_per_token,
    :output_picodollars_per_token, :recorded_ns
)
ON CONFLICT (price_id) DO NOTHING;

-- name: price_versions
-- All prices that ever were, oldest first.
SELECT price_id, model, serving_path, input_picodollars_per_token, cached_input_picodollars_per_token,
       output_picodollars_per_token, recorded_ns
FROM price_versions
ORDER BY recorded_ns, price_id;
