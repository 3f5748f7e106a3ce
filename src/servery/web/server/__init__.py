"""The listener: HTTP/1.1 on asyncio Protocols. Inference goes straight to the relay, the rest to an ASGI app."""
