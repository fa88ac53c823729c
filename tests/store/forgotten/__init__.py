"""What tests/store/test_forgotten_organisation.py runs: statements, by steps."""
