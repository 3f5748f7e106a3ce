"""The commands. They work on the data directory itself, whether or not a platform runs on it."""
