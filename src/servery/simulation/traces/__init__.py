"""Where requests come from: recorded traces of several formats, and generators that draw them from a seed."""
