"""Curation of interleaved image-text data: the parts that ``pipelines`` puts together, none of which knows another."""
