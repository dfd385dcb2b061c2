"""Few-shot tasks and validation loss of a trained model; start at ``run.py`` and ``losses.py``."""
