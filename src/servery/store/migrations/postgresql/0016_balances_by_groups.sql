-- Balances are moved once a statement here, by a trigger, and on SQLite by whoever posts: nothing is to be done.
SELECT 1;
