"""The report as JSON, text and termination message."""
