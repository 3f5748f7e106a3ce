"""The wire to one engine: what each kind of engine differs in, connections, and the exchange of one request."""
