"""The paper's experiments: tasks, training, tables, figures, scores."""
