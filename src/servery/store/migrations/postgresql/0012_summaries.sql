-- New ranges of pages are summarised as they fill, not at the next vacuum: until then each look at a time reads them all.
ALTER INDEX usage_records_by_time SET (autosummarize = on);
