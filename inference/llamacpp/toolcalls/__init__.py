"""Tool calls of local models: how a family of chat templates spells them, and how they are enforced and read.

One file per family; `families.py` lists them. `schemas.py` turns the tools' parameters into grammar rules, `calling.py`
decides what a request allows, `watch.py` notices where calls begin, `parser.py` reads them as they are written.
"""
