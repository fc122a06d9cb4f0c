"""Reports of a reconciliation: of the bureau and of each branch, from the journal."""
