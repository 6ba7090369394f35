"""The hidden tests: one module a unit, named after its topic."""
