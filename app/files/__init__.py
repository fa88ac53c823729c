"""Files of numbers: bytes into rows and back.  No HTTP, no SQL, no rule."""
