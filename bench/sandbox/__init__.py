"""The sandbox beside no sandbox, bubblewrap and plain nsjail."""
