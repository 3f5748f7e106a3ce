"""Parts that stand in for the world in tests, and keep its contracts."""
