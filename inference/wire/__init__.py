"""What all wire formats share: strict bodies, shapes of answers, routes that answer with errors in the format's own
shape, server-sent events, and clients that may leave.
"""
