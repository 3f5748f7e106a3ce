-- Each price change is sealed by a hash of itself and of the one before it, and the last of them is marked: none can be
-- altered, put in between or left out without a trace. NULL: of before there were seals.
ALTER TABLE price_changes ADD COLUMN seal TEXT;

INSERT INTO watermarks (name, sequence) SELECT 'price_changes', coalesce(max(sequence), 0) FROM price_changes;
