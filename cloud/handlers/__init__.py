"""One Lambda function per module, thin: read the environment, call the domain, answer. Clients are made once."""
