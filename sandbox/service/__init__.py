"""The sandbox as a process or a pod of its own, and the client that uses it from elsewhere."""
