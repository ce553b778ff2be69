"""Masking files in bulk: a plan, a process pool (or Spark), a signed manifest."""
