"""dncd: one do-not-call list for every dialer.  See README.md beside this file."""

__version__ = "0.1.0"
