"""How often and how much at once a host is asked, and when again; start at ``hosts.py``."""
