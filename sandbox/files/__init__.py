"""Files into workspaces and out of them, by descriptors that never leave them."""
