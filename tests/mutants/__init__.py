"""One change of a source file at a time, and the test that must notice it."""
