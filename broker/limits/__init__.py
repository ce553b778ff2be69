"""Statutory clocks: pure arithmetic of working days over the calendar of the bundle."""
