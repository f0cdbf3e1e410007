"""`python -m numlstm` is `numlstm`."""

from numlstm.cli import main

main(prog_name="numlstm")
