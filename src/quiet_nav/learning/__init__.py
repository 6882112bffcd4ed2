"""Networks, tasks, training and export; the only place that imports torch."""
