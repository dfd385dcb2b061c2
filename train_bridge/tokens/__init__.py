"""A stored record to token ids and labels: order of items, chat templates, the tokenizer; start at ``encoder.py``."""
