-- name: make_spool
-- The spool's own file holds this alone. AUTOINCREMENT: what is numbered later was kept later.
CREATE TABLE spooled_postings (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE,
    nanodollars INTEGER NOT NULL,
    posting TEXT NOT NULL,
    refusal TEXT
) STRICT;

-- name: keep_posting
-- Keep a posting, unless it is kept already.
INSERT INTO spooled_postings (request_id, nanodollars, posting) VALUES (:request_id, :nanodollars, :posting)
ON CONFLICT (request_id) DO NOTHING;

-- name: oldest_postings
-- Those that wait longest.
SELECT sequence, posting FROM spooled_postings WHERE refusal IS NULL ORDER BY sequence LIMIT :most;

-- name: remove_posting
-- It is in the books.
DELETE FROM spooled_postings WHERE sequence = :sequence;

-- name: refuse_posting
-- The books do not take it; somebody has to look at it.
UPDATE spooled_postings SET refusal = :refusal WHERE sequence = :sequence;

-- name: spool_contents
-- How many wait, what they come to, and how many the books did not take.
SELECT count(*), coalesce(sum(nanodollars), 0), count(refusal) FROM spooled_postings;
