"""Talks to the API server: for the webhook and the controller only."""
