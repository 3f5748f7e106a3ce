-- The time of postings is indexed by ranges of pages on PostgreSQL, and by rows here, where nothing is to be done.
SELECT 1;
