"""Backup sets, their copies and drivers, and how fresh each copy is."""
