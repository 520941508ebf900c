"""Trusted linters without a jail, where none can be made: Landlock, a system call filter and limits (tier D)."""
