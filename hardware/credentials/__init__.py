"""Card protocols over an APDU channel: what a card says about itself, and how far that can be trusted."""
