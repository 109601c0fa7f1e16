"""The controller: renders policies, reports verdicts, keeps certificates."""
