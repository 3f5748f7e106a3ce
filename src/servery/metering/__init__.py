"""What was used: usage records, posted with their charges. See README.md."""
