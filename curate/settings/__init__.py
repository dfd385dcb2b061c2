"""Settings as people write them: YAML and ``--set`` into frozen models, every fault at once; start at ``load.py``."""
