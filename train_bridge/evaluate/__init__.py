"""The validation loss and the tasks of ``train_bridge/tasks`` for an exported model; start at ``losses.py``."""
