"""`python -m mdr` is the command line."""

from mdr.cli import main

main()
