"""What an operator describes in a file: the fleet, its prices, the policies to compare, and what goes wrong."""
