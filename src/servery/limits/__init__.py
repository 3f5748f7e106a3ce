"""What an account may use of a model in a minute: reserved on arrival, settled with real usage. Refuses with 429."""
