"""Durable state: one database file, migrations, named SQL, group commit. See README.md."""
