"""What proves the history: seals, their formats, and a verifier of its own."""
