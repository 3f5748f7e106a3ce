-- Who reads records by time reads those of one account; for those of all the index by ranges of pages stays.
CREATE INDEX usage_records_by_account ON usage_records (account, finished_ns);
