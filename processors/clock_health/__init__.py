"""Clock health: whether a camera's clock can be trusted.

Pure modules (no Kafka, no wall clock): `history` (what is stored of one camera), `arrival`, `sunlight`, `resets` and
`camera_evidence` (what each kind of evidence shows), `findings` and `assessment` (the verdict), `sun` (the sun's
position), `tracker` (many cameras), `state_store` (the state as bytes). `worker` connects them to the topics. Every
camera is assessed by its own frames alone: a wrong clock does not affect other cameras.
"""
