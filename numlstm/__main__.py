"""`python -m numlstm` runs the command `numlstm`."""

from numlstm.cli import main

main(prog_name="numlstm")
