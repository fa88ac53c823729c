"""What all dialects share of HTTP; knows no vendor."""
