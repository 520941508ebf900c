"""Jails by nsjail: whether this host can make them, how one is started, held, warmed and taken down, one run in it."""
