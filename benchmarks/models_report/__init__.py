"""`make models-report`: the recipes for models, run from the first picture to the served version, and what came of it.

Every step keeps its result; what is done is not done again. The figures stand in `docs/models.md`.
"""
