"""What is offered: pools, models, routers, serving paths, prices and life-cycle dates, read from one file.

Knows nothing of replicas that run, of callers or of HTTP. The file's format is told in ``docs/catalog.md``.
"""
