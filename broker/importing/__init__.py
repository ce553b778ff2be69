"""Drafting catalog entries from tables that departments have: nothing in a draft is shared."""
