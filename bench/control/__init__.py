"""What the router promises of money and residency, held against upstreams that keep books of their own."""
