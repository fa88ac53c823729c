"""Plain SQL, no import from app."""
