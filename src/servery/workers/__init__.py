"""Several processes that serve from one port: a supervisor that keeps engines and workers, and the workers."""
