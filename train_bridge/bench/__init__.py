"""Measures loader, planner and training beside their peers, each in its own process; started by ``curate bench``."""
