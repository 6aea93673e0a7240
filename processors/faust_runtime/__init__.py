"""What all workers share: the Faust app, confirmed sends, dead letters, state tables, metrics, the process around them.

Code that depends on internals of Faust or aiokafka lives here only: `app` (`_Event.ack`), `consumer`, `lease`.
`tests/unit/processors/faust_runtime/test_library_internals.py` fails when an upgrade changes what it relies on.
"""
