"""What the backend costs to run: documented prices times measured units, with every assumption named."""
