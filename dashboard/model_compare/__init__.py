"""Where two versions of a model differ, photograph by photograph, on a terminal or as one self-contained page.

`python -m uncia.dashboard.model_compare A B` is what `uncia models compare` runs. Both versions' answers are on topics:
live's, and those of either version's shadow (`uncia.serving.shadows`).
"""
