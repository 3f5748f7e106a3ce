-- ``outcome`` is an open set here: the code that posts knows it.
ALTER TABLE usage_records DROP CONSTRAINT usage_records_outcome_check;
