"""The operator's commands, a file per noun: read arguments, call one use case, print what it says. `cli.py` joins them."""
