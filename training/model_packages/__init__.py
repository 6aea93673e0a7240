"""What a training run produces: a model package with its evaluation and its card."""
