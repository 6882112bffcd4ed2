"""Metrics with confidence intervals, tables in the paper's layout, plots."""
