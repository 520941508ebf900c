"""The corpus generator: families of small programs, executed, phrased, split and mixed into samples.

Everything follows from one seed; nothing depends on hashing or on the order of sets.
"""
