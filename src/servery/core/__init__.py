"""The nouns all other packages quote. Values only: no I/O, no clock read, no configuration."""
