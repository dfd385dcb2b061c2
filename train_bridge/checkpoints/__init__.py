"""Model folders as others lay them out: VILA of every age, original LLaVA, NVILA; start at ``layouts.py``."""
