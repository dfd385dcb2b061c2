"""Measures this build beside its peers; ``table.py`` lists the benchmarks, ``row.py`` how they are compared."""
