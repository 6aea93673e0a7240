"""The photographs on which two versions of a model disagree, on a terminal or as one self-contained page.

The predictions of both versions are read from topics: those of the live system, and those of each version's shadow
(`uncia.serving.shadows`). `uncia models compare` composes the modules of this package.
"""
