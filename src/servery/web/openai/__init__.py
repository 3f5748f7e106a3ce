"""The dialect of OpenAI's API with Fireworks' additions: requests in, answers out. Pure: bytes and values, no I/O."""
