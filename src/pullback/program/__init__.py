"""The flat program: what a trace writes down, and how it is run again and read.

A program is a straight line of calls of the table's operations; each reads inputs, constants and earlier results.
"""

from .program import Call, Program, Var

__all__ = ["Call", "Program", "Var"]
