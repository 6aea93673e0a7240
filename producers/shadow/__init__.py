"""A shadow: another version of a model, run on the same uploads as the live one, without effect on any burst.

A shadow is a namespace (`uncia.serving.shadows`) with one worker, `predict-shadow`. The worker reads the upload topics
of the live system in a consumer group of its own, which starts at the topics' ends when the shadow is first started and
continues from its committed offsets afterwards. A runner process restarts the worker. It outlives the command that
starts it, carries a mark as the processes of a replay do, and ends with the embedded stack.

`uncia models shadow` manages shadows; it has Triton serve the version first.
"""
