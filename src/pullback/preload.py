"""Imported first by the processes that a program under ``pullback run`` starts: there, too, torch is Pullback."""

from pullback.alias import install

install()
