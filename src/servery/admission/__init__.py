"""Who enters a pool, who waits, and who is refused with 503. Requests wait here, not in an engine."""
