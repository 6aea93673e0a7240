"""Versions of a model: from a package to the live version, and back.

**Installing** (`installation`) checks a package (`packages.validation`), copies it into a staging folder and moves it
into the repository atomically: the next version, which receives no requests yet. **Promoting** (`promotion`) has Triton
load it in addition to the live one, runs its self-test there, and only then moves the pointer (`live.json`, see
`uncia.serving.model_versions`) that every client of the model reads. The previous version stays loaded, so that rolling
back only moves the pointer.

At every moment Triton serves the version that the pointer names: after a failure or a kill the live version is
unchanged, and the next command cleans up.
"""
