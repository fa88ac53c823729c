"""The protocols that dncd speaks; a new one is a folder and a name in the tuple."""

from app.dialects import convoso, native, workspace

DIALECTS = (convoso.DIALECT, native.DIALECT, workspace.DIALECT)
