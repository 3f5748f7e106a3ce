"""Which replica serves a request, and which place in that replica's prompt cache."""
