"""One request over the wire, safely: addresses, redirects, byte caps; start at ``transport.py``."""
