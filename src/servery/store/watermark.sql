-- name: watermark
-- Where a mark stands.
SELECT sequence FROM watermarks WHERE name = :name;

-- name: move_watermark
-- Move a mark on, if it still stands where it was read.
UPDATE watermarks SET sequence = :sequence WHERE name = :name AND sequence = :after;

-- name: hold_watermark
-- Keep others from moving a mark until the transaction ends.
UPDATE watermarks SET sequence = sequence WHERE name = :name;
