-- Who reads records by time reads those of one account, or of all accounts, which the hourly sums know.
CREATE INDEX usage_records_by_account ON usage_records (account, finished_ns);
DROP INDEX usage_records_by_time;
