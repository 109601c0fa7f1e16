"""Fuzzing of every parser: `python -m tests.fuzz --seconds N`, or `nox -s fuzz`.

`targets.py` says what is fed and what must hold, `mutate.py` how inputs are changed, `engine.py`
runs one target in a process of its own, coverage-guided where atheris can be imported.
"""
