"""The applications that dncd is compared with."""
