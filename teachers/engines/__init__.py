"""The engines: each answers a request, with a model in this process or a server."""
