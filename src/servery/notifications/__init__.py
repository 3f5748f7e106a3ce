"""Telling accounts what concerns them: an outbox, webhooks and e-mail. See README.md."""
