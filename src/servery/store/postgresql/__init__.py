"""PostgreSQL as the database of many gateways."""
