"""What usage costs: rating, and the prices it went by. See README.md."""
