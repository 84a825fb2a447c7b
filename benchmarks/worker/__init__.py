"""What the worker runtime promises, measured beside its peers against one counting server on loopback.

Counts come first, because they are the same on every machine. Rates are only ever ratios of programs that ran in
turns; see server.py for what the server is too kind in.
"""
