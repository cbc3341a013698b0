"""Tests against an installed torch. A package, so that its files may bear the names of those beside it."""
