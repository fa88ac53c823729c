"""The protocols that dncd speaks; a new one is a folder here and a name in the tuple."""

from app.dialects import convoso

DIALECTS = (convoso.DIALECT,)
