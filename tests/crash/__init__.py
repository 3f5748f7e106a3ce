"""Crash tests: what was told of is in the books, whoever dies."""
