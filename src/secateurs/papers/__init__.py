"""The papers: each one's studies and its figures, nothing else."""
