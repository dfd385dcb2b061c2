"""Deciding, planning, accounting and verifying a measured corpus of any size, made without a network."""
