"""Holds this project's engine against model-signing: on sound inputs, on damaged ones, and
where the two differ on purpose (differences.py, docs/differences.md).
"""
