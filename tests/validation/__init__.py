"""What takes too long for every test run: rows of `docs/validation.json`, each with its sources."""
