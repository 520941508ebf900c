"""The recipe of the bundled code models: corpus, tokenizer, training, export, evaluation.

Run as `python -m training`; the product never imports it. README.md says how long each step takes.
"""
