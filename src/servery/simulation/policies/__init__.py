"""What is compared: the platform's own decisions behind a narrow door, and simpler ones beside them."""
