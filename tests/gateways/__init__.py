"""Several real gateways on one PostgreSQL, under real clients."""
