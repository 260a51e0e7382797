"""The staff's side of the HTTP API: signing in, asking, changing, and people from and to files. No door needs it."""
