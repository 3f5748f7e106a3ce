"""Engines that compute nothing: how long they would take, what their caches would hold, when they would fail."""
