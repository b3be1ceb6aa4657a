"""Real clients in network namespaces of their own, behind networks that are as bad as they are asked to be."""
