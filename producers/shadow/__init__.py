"""A version of a model beside the live one, on the same uploads, saying what nobody reads but who compares.

A shadow is a namespace (`uncia.serving.shadows`) and one worker in it, `predict-shadow`, which reads live's upload
topics in a group of its own from where they end when the shadow is first started. It is kept up by one process that
runs on its own (`python -m uncia.producers.shadow run`), is marked like a replay's, and ends with the stack.
To start it again goes on.

`uncia models shadow` is how people run it: that command has Triton serve the version first.
"""
