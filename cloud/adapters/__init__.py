"""AWS services behind the backend's rules."""
