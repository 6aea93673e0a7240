"""`make models-report`: runs all model recipes, from the data to the served version, and reports the results.

The result of every step is stored, and a completed step is not repeated. The figures are in `docs/models.md`.
"""
