"""Replays traffic against a described fleet in virtual time, through the code that decides in the real one."""
