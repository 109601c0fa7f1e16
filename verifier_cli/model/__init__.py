"""Finding, walking, comparing and hashing a model."""
