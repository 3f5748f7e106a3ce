"""The request path: one journey, in reading order, from a parsed request to a posted charge."""
