"""The remote wrapper: what makes a command on a host found again, started once, and fenced."""
