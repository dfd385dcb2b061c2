"""What holds for which family of language models and vision towers, measured on tiny random ones.

``language`` and ``vision`` have a row per family, ``measure`` assembles, packs, saves and loads one, ``table`` writes
what came of it. ``python -m train_bridge.families --write docs/training.md`` renews the table there.
"""
