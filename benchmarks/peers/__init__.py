"""What stands between the client and the engine: each gateway that is measured, in a file of its own."""
