"""Versions of a model, from a package to the one that answers, and back.

**Installing** (`installing`) checks a package (`package`), copies it beside the repository's folders and moves it into
place whole: the next version, which nobody asks yet. **Promoting** (`promotion`) has Triton load it beside the live
one, asks it its self-test there, and only then moves the pointer (`live.json`, see `uncia.serving.model_versions`) that
everybody who asks the model looks at. The version before stays loaded, so that rolling back is a pointer's move.

At every moment Triton serves what the pointer names: what fails or is killed on the way leaves the live version as
it is, and the next command tidies up.
"""
