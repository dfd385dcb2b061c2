"""The LLaVA model that is trained, its processor and its attention over packs; start at ``llava.py``."""
