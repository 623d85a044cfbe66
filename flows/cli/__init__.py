"""The command line: `main.py` lists all commands; each other file declares the arguments of one group of them."""
