"""The differential fuzzer: random programs, run statement by statement on torch and on Pullback, and compared.

``python -m tests.fuzz --help`` says how to run it; ``docs/fuzzing.md`` what it does and what it found.
"""
