"""The books: double entry, append-only. See README.md."""
