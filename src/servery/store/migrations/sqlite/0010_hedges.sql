-- How a second attempt at the request ended; NULL where there was none.
ALTER TABLE usage_records ADD COLUMN hedge TEXT;
