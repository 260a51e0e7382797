"""The page of the emulated mode: doors as pictures, with buttons to tap cards and move contacts."""
