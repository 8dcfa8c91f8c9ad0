"""`python -m lager` is the command `lager`."""

from .cli import main

main()
