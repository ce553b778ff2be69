"""Tracing a leak: to whom the tokens and pseudonyms in a file that turned up somewhere were released."""
