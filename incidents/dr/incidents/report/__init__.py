"""Reports of a run, made from its journal and from nothing else."""
