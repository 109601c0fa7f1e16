"""The signature file, the signed statement, and the three methods."""
