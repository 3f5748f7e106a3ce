"""What deciding costs: the pure parts of a request's way, called as the server calls them."""
