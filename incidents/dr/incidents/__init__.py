"""Incidents: levels, reporting clocks and reports."""
