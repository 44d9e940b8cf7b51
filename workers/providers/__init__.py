"""The services that send agents: one module each, behind the protocol in `base`."""
