"""Any animal at all: a head that tells animal, person, vehicle and nothing apart, beside a model that names kinds.

The stock classes cannot: a frame of stones and spines scores up to 0.5 as an animal. The head is learnt on windows
that hold something and on windows that hold nothing, of the same scenes. Its four classes stand beside the kinds in one
label set, told by `group`; a class whose label is its group means the whole group.
"""
