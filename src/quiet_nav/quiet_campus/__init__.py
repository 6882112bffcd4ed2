"""The data-set format: lists, annotations and folders, written and read here and nowhere else."""
