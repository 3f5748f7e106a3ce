"""Accounts and their API keys. See README.md."""
