"""Clock health: can a camera's clock be believed?

Pure modules (no Kafka, no wall clock): `history` (what is kept of one camera), `arrival`, `sunlight` and `cameras`
(what each kind of evidence says of it), `judging` (the verdict), `sun` (where the sun stands), `records` (the state
as bytes). `worker` feeds them. Every camera is judged by its own frames alone: a wrong clock harms nobody else's.
"""
