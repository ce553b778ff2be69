"""The citizen's view: everything that the log has of one person, and whether something is left out."""
