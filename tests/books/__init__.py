"""Books with something in them, for tests of those who show them."""
