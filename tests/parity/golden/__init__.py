"""Makes the project's own parity cases from reference libraries and restatements (tests/parity/README.md)."""
