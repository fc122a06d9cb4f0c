"""Ledgers of the branches against the recovered database: differences and sign-off."""
