"""Carries a plan out: claims attempts, acts, verifies, recovers what was in doubt."""
